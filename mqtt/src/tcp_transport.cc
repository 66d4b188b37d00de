#include "tcp_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <asio/ip/tcp.hpp>

#include "movable_transport.h"

namespace mqttrpc::mqtt {
namespace {

using asio::ip::tcp;

// Read at once, and before the other streams of the thread have their turn: a hundred calls
// or two. With more the turn of a quiet stream comes late, and when a window of calls comes
// whole, broker and device each wait for the other instead of working side by side.
constexpr std::size_t kScratchBytes = std::size_t{16} * 1024;

// How often a stream that cannot be written to any more is read for its peer's last words.
constexpr int kLastReads = 16;

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

  std::span<std::byte> bytes() { return *buffer_; }

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

tcp::endpoint PeerOf(int descriptor) {
  tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  if (getpeername(descriptor, endpoint.data(), &size) == 0) endpoint.resize(size);
  return endpoint;
}

bool IsNotNow(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

// A system call that a signal did not cut short.
template <typename Call>
ssize_t Uninterrupted(Call&& call) {
  for (;;) {
    const ssize_t result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// The socket and what is done with it. Lives on while it lingers, so that the transport
// may go at any time.
class Stream final : public SocketWatch::Target, public std::enable_shared_from_this<Stream> {
 public:
  Stream(std::unique_ptr<SocketWatch> socket, Clock& clock, TcpAcks acks)
      : socket_(std::move(socket)), clock_(clock), peer_(PeerOf(socket_->descriptor())), acks_(acks) {
    const int on = 1;
    (void)setsockopt(socket_->descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }

  void Start(Transport::Handler& handler) {
    handler_ = &handler;
    WaitReadable();
  }

  bool Write(std::span<const std::span<const std::byte>> gather) {
    answered_ = true;
    if (gather.size() > kPiecesAtOnce) {
      unwritten_ = std::make_unique<Unwritten>();
      for (const auto& piece : gather) unwritten_->pieces.push_back(PieceOf(piece));
      return WriteUnwritten();
    }
    // Nearly always the system takes all of it now: then nothing is kept.
    std::array<iovec, kPiecesAtOnce> pieces;
    std::transform(gather.begin(), gather.end(), pieces.begin(), PieceOf);
    const std::span<iovec> all(pieces.data(), gather.size());
    const std::span<iovec> rest = Send(all);
    if (rest.empty()) return true;
    unwritten_ = std::make_unique<Unwritten>();
    unwritten_->pieces.assign(rest.begin(), rest.end());
    socket_->AwaitWritable(shared_from_this());
    return false;
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
    unwritten_ = nullptr;
    if (shutdown(socket_->descriptor(), SHUT_WR) != 0) return Drop();
    lingering_ = true;
    linger_timer_ = clock_.NewTimer(socket_->executor());
    // Weak: what watches the socket keeps the stream, and goes with its io_context.
    linger_timer_->Arm(clock_.Now() + kTcpLinger, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Drop();
    });
    WaitReadable();
  }

  // Ends everything at once, unless it lingers.
  void Release() {
    if (moving_ >= 0) close(std::exchange(moving_, -1));
    if (!lingering_) Drop();
  }

  void Leave() {
    handler_ = nullptr;
    paused_ = false;
    moving_ = socket_->Release();
  }

  bool Join(const asio::any_io_executor& executor, SocketPoller* poller) {
    const int descriptor = std::exchange(moving_, -1);
    if (descriptor < 0) return false;
    auto socket = WatchSocket(descriptor, executor, poller);
    if (socket == nullptr) return false;
    socket_ = std::move(socket);
    return true;
  }

  std::string peer() const { return NameOf(peer_); }

  void OnReadable() override {
    answered_ = false;
    (void)ReadAvailable();
    if (!WantsBytes()) return;
    if (!answered_) Acknowledge();  // Else what we sent carries the acknowledgement.
    WaitReadable();
  }

  void OnWritable() override {
    if (handler_ == nullptr || unwritten_ == nullptr) return;
    if (write_error_ == 0 && WriteUnwritten()) return handler_->OnWritten();
    if (write_error_ != 0) WriteFailed();
  }

 private:
  static constexpr std::size_t kPiecesAtOnce = 64;

  static iovec PieceOf(std::span<const std::byte> piece) {
    return {const_cast<std::byte*>(piece.data()), piece.size()};  // Only read from.
  }

  void Drop() {
    handler_ = nullptr;
    lingering_ = false;
    linger_timer_ = nullptr;
    socket_->Close();
  }

  bool WantsBytes() const { return lingering_ || (handler_ != nullptr && !paused_); }

  void WaitReadable() { socket_->AwaitReadable(shared_from_this()); }

  // Whether there may be more.
  bool ReadAvailable() {
    if (!WantsBytes()) return false;
    Scratch scratch;
    const std::span<std::byte> into = lingering_ ? scratch.bytes() : handler_->BufferFor(scratch.bytes());
    const ssize_t got = Uninterrupted([&] { return recv(socket_->descriptor(), into.data(), into.size(), 0); });
    const int error = got < 0 ? errno : 0;
    const bool drained = got < static_cast<ssize_t>(into.size());
    if (drained) socket_->OnDrained();
    if (got < 0 && IsNotNow(error)) return false;
    if (got <= 0) {
      ReportClosed(error);
      return false;
    }
    if (handler_ != nullptr) handler_->OnBytes(into.first(static_cast<std::size_t>(got)));
    return !drained;
  }

  void Acknowledge() {
#ifdef TCP_QUICKACK
    if (acks_ != TcpAcks::kAtOnce) return;
    const int on = 1;  // Holds for a while only, so it is said again each time.
    (void)setsockopt(socket_->descriptor(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
#endif
  }

  // One system call for each kPiecesAtOnce. Returns what the system did not take; after an
  // error that is some of it, and write_error_ says why.
  std::span<iovec> Send(std::span<iovec> pieces) {
    while (!pieces.empty()) {
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = std::min(pieces.size(), kPiecesAtOnce);
      const ssize_t sent = Uninterrupted([&] { return sendmsg(socket_->descriptor(), &message, MSG_NOSIGNAL); });
      if (sent < 0) {
        if (!IsNotNow(errno)) write_error_ = errno;
        return pieces;
      }
      auto size = static_cast<std::size_t>(sent);
      while (!pieces.empty() && size >= pieces.front().iov_len) {
        size -= pieces.front().iov_len;
        pieces = pieces.subspan(1);
      }
      if (size == 0) continue;
      pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + size;
      pieces.front().iov_len -= size;
      return pieces;  // The send buffer is full.
    }
    return pieces;
  }

  // Whether nothing is left of it.
  bool WriteUnwritten() {
    const std::span<iovec> rest = Send(std::span(unwritten_->pieces).subspan(unwritten_->next));
    unwritten_->next = unwritten_->pieces.size() - rest.size();
    if (rest.empty()) {
      unwritten_ = nullptr;
      return true;
    }
    socket_->AwaitWritable(shared_from_this());
    return false;
  }

  // The peer's last words, e.g. why it disconnects us, may still lie unread.
  void WriteFailed() {
    for (int i = 0; i < kLastReads && ReadAvailable(); ++i) continue;
    ReportClosed(write_error_);
  }

  void ReportClosed(int error) {
    Transport::Handler* handler = std::exchange(handler_, nullptr);
    Drop();
    if (handler == nullptr) return;
    handler->OnClosed(error == 0 ? absl::OkStatus()
                                 : absl::UnavailableError(absl::StrCat("connection to ", peer(), ": ",
                                                                       std::generic_category().message(error))));
  }

  // What the system did not take at once.
  struct Unwritten {
    std::vector<iovec> pieces;
    std::size_t next = 0;  // Of them.
  };

  std::unique_ptr<SocketWatch> socket_;
  Clock& clock_;
  Transport::Handler* handler_ = nullptr;  // Null: no callback may follow.
  std::unique_ptr<Unwritten> unwritten_;   // Of the one Write() under way; null: none is.
  std::unique_ptr<Timer> linger_timer_;
  const tcp::endpoint peer_;
  int write_error_ = 0;
  int moving_ = -1;  // The socket, between Leave() and Join().
  bool paused_ = false;
  bool answered_ = false;   // Since the last read.
  bool lingering_ = false;  // After Close().
  [[maybe_unused]] const TcpAcks acks_;
};

class TcpTransport final : public MovableTransport {
 public:
  explicit TcpTransport(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~TcpTransport() override { stream_->Release(); }

  void Start(Handler& handler) override { stream_->Start(handler); }
  bool Write(std::span<const std::span<const std::byte>> gather) override { return stream_->Write(gather); }
  void PauseReading() override { stream_->PauseReading(); }
  void ResumeReading() override { stream_->ResumeReading(); }
  void Close() override { stream_->Close(); }
  void Leave() override { stream_->Leave(); }
  bool Join(const asio::any_io_executor& executor, SocketPoller* poller) override {
    return stream_->Join(executor, poller);
  }
  std::string peer() const override { return stream_->peer(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

}  // namespace

std::unique_ptr<Transport> NewTcpTransport(std::unique_ptr<SocketWatch> socket, Clock& clock, TcpAcks acks) {
  return std::make_unique<TcpTransport>(std::make_shared<Stream>(std::move(socket), clock, acks));
}

}  // namespace mqttrpc::mqtt
