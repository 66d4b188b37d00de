#include "tcp_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <asio/buffer.hpp>
#include <asio/error.hpp>

namespace mqttrpc::mqtt {
namespace {

using asio::ip::tcp;

constexpr std::size_t kScratchBytes = std::size_t{64} * 1024;
// Reads in a row before the other streams of the thread have their turn.
constexpr int kReadsPerTurn = 4;

// One read buffer per thread, lent out for a turn: an idle stream owns none. A
// nested event loop inside a callback finds none and makes its own.
class Scratch {
 public:
  Scratch() : buffer_(std::move(Spare())) {
    if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<Buffer>();
  }
  ~Scratch() { Spare() = std::move(buffer_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::byte* data() { return buffer_->data(); }

 private:
  using Buffer = std::array<std::byte, kScratchBytes>;
  static std::unique_ptr<Buffer>& Spare() {
    thread_local std::unique_ptr<Buffer> spare;
    return spare;
  }
  std::unique_ptr<Buffer> buffer_;
};

std::string NameOf(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? absl::StrCat("[", address, "]:", endpoint.port())
                                    : absl::StrCat(address, ":", endpoint.port());
}

// The socket and what Asio does with it. Lives as long as a handler is pending,
// so that the transport may go at any time.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(tcp::socket socket, Clock& clock, TcpAcks acks) : socket_(std::move(socket)), clock_(clock), acks_(acks) {
    asio::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    peer_ = socket_.remote_endpoint(ignored);
  }

  void Start(Transport::Handler& handler) {
    handler_ = &handler;
    WaitReadable();
  }

  void Write(std::span<const std::span<const std::byte>> gather) {
    unwritten_.clear();
    for (const auto& piece : gather) unwritten_.emplace_back(piece.data(), piece.size());
    next_unwritten_ = 0;
    WriteSome();
  }

  void PauseReading() { paused_ = true; }
  void ResumeReading() {
    paused_ = false;
    if (handler_ != nullptr) WaitReadable();
  }

  // Closing a socket with unread input resets the connection, and a reset may
  // overtake our last bytes. So: half close, read to the peer's end, then close.
  void Close() {
    handler_ = nullptr;
    paused_ = false;
    asio::error_code error;
    socket_.cancel(error);
    socket_.shutdown(tcp::socket::shutdown_send, error);
    if (error) return Drop();
    lingering_ = true;
    linger_timer_ = clock_.NewTimer(socket_.get_executor());
    // Weak: the pending wait keeps the stream, and goes with its io_context.
    linger_timer_->Arm(clock_.Now() + kTcpLinger, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Drop();
    });
    WaitReadable();
  }

  // Ends everything at once, unless it lingers.
  void Release() {
    if (!lingering_) Drop();
  }

  std::string peer() const { return NameOf(peer_); }

 private:
  void Drop() {
    handler_ = nullptr;
    lingering_ = false;
    linger_timer_ = nullptr;
    asio::error_code ignored;
    socket_.close(ignored);
  }

  bool WantsBytes() const { return lingering_ || (handler_ != nullptr && !paused_); }

  void WaitReadable() {
    if (waiting_) return;
    waiting_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const asio::error_code& error) {
      self->waiting_ = false;
      // Cancelled by Close(), which wants to read on, or by Drop(), which does not.
      if (error && error != asio::error::operation_aborted) return self->ReportClosed(error);
      if (!self->WantsBytes()) return;
      if (!error) self->ReadAvailable();
      if (!self->WantsBytes()) return;
      self->Acknowledge();
      self->WaitReadable();
    });
  }

  void ReadAvailable() {
    Scratch scratch;
    for (int i = 0; i < kReadsPerTurn && WantsBytes(); ++i) {
      asio::error_code error;
      const std::size_t room = lingering_ ? kScratchBytes : std::min(handler_->MaximumRead(), kScratchBytes);
      const std::size_t size = socket_.read_some(asio::buffer(scratch.data(), room), error);
      if (error == asio::error::would_block || error == asio::error::try_again) return;
      if (error) return ReportClosed(error);
      if (handler_ != nullptr) handler_->OnBytes(std::span(scratch.data(), size));
      if (size < room) return;
    }
  }

  // Sends nothing if an answer has just carried the acknowledgement.
  void Acknowledge() {
#ifdef TCP_QUICKACK
    if (acks_ != TcpAcks::kAtOnce) return;
    const int on = 1;  // Holds for a while only, so it is said again each time.
    (void)setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
#endif
  }

  void WriteSome() {
    const std::span<const asio::const_buffer> rest = std::span(unwritten_).subspan(next_unwritten_);
    socket_.async_write_some(rest, [self = shared_from_this()](const asio::error_code& error, std::size_t size) {
      if (self->handler_ == nullptr) return;
      if (error) return self->WriteFailed(error);
      self->Written(size);
    });
  }

  void Written(std::size_t size) {
    while (next_unwritten_ < unwritten_.size() && size >= unwritten_[next_unwritten_].size()) {
      size -= unwritten_[next_unwritten_++].size();
    }
    if (next_unwritten_ == unwritten_.size()) return handler_->OnWritten();
    unwritten_[next_unwritten_] += size;
    WriteSome();
  }

  // The peer's last words, e.g. why it disconnects us, may still lie unread.
  void WriteFailed(const asio::error_code& error) {
    if (WantsBytes()) ReadAvailable();
    ReportClosed(error);
  }

  void ReportClosed(const asio::error_code& error) {
    Transport::Handler* handler = std::exchange(handler_, nullptr);
    Drop();
    if (handler == nullptr) return;
    handler->OnClosed(error == asio::error::eof
                          ? absl::OkStatus()
                          : absl::UnavailableError(absl::StrCat("connection to ", peer(), ": ", error.message())));
  }

  tcp::socket socket_;
  tcp::endpoint peer_;
  Clock& clock_;
  [[maybe_unused]] const TcpAcks acks_;
  Transport::Handler* handler_ = nullptr;  // Null: no callback may follow.
  bool paused_ = false;
  bool waiting_ = false;    // For readability.
  bool lingering_ = false;  // After Close().
  std::unique_ptr<Timer> linger_timer_;
  std::vector<asio::const_buffer> unwritten_;  // Of the one Write() under way.
  std::size_t next_unwritten_ = 0;
};

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~TcpTransport() override { stream_->Release(); }

  void Start(Handler& handler) override { stream_->Start(handler); }
  void Write(std::span<const std::span<const std::byte>> gather) override { stream_->Write(gather); }
  void PauseReading() override { stream_->PauseReading(); }
  void ResumeReading() override { stream_->ResumeReading(); }
  void Close() override { stream_->Close(); }
  std::string peer() const override { return stream_->peer(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

}  // namespace

std::unique_ptr<Transport> NewTcpTransport(tcp::socket socket, Clock& clock, TcpAcks acks) {
  return std::make_unique<TcpTransport>(std::make_shared<Stream>(std::move(socket), clock, acks));
}

}  // namespace mqttrpc::mqtt
