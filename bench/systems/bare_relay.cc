// Bytes through three processes: about the least that a call over a broker can cost, as
// there is no protocol. What is under way must fit into the sockets' buffers.
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <utility>

#include <poll.h>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

#include "systems/peer.h"

namespace bench {
namespace {

using asio::ip::tcp;

constexpr std::size_t kPiece = 64 * 1024;

tcp::socket Connect(asio::io_context& io, const std::string& port) {
  tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(std::stoi(port))});
  socket.set_option(tcp::no_delay(true));
  return socket;
}

tcp::socket AcceptOne(asio::io_context& io) {
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  std::printf("ready %d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  tcp::socket socket = acceptor.accept();
  socket.set_option(tcp::no_delay(true));
  return socket;
}

// One caller. Answers are the requests' bytes, in order.
class BarePeer final : public Peer {
 public:
  explicit BarePeer(const PeerOptions& options)
      : request_(options.payload_bytes, 'x'), socket_(Connect(io_, options.address)), thread_([this] { Read(); }) {}

  ~BarePeer() override {
    asio::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    thread_.join();
  }

  void StartCall(std::size_t, Done done) override {
    const std::lock_guard lock(mutex_);
    waiting_.push(std::move(done));
    out_ += request_;
    if (std::this_thread::get_id() != thread_.get_id()) Flush();
  }

 private:
  // One write for all that the answers of one read have caused.
  void Read() {
    std::string buffer(kPiece, '\0');
    std::size_t read = 0;
    asio::error_code error;
    for (;;) {
      read += socket_.read_some(asio::buffer(buffer), error);
      if (error) return FailAll();
      for (; read >= request_.size(); read -= request_.size()) TakeOne()(true);
      const std::lock_guard lock(mutex_);
      Flush();
    }
  }

  // Nothing is answered any more.
  void FailAll() {
    while (Done done = TakeOne()) done(false);
  }

  // Null if nobody waits.
  Done TakeOne() {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return nullptr;
    Done done = std::move(waiting_.front());
    waiting_.pop();
    return done;
  }

  void Flush() {
    asio::error_code ignored;  // The reader sees it too.
    if (!out_.empty()) asio::write(socket_, asio::buffer(out_), ignored);
    out_.clear();
  }

  const std::string request_;
  asio::io_context io_;
  tcp::socket socket_;
  std::mutex mutex_;
  std::queue<Done> waiting_;
  std::string out_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Peer> NewBarePeer(const PeerOptions& options) { return std::make_unique<BarePeer>(options); }

int ServeBareRelay(const std::string& next) {
  asio::io_context io;
  const bool echoes = next.empty();
  tcp::socket further = echoes ? tcp::socket(io) : Connect(io, next);
  tcp::socket caller = AcceptOne(io);
  std::string buffer(kPiece, '\0');
  asio::error_code error;
  std::array<pollfd, 2> waits{{{caller.native_handle(), POLLIN, 0}, {further.native_handle(), POLLIN, 0}}};
  while (!error && (echoes || ::poll(waits.data(), waits.size(), -1) > 0)) {
    const bool from_caller = echoes || waits[0].revents != 0;
    tcp::socket& from = from_caller ? caller : further;
    tcp::socket& to = from_caller && !echoes ? further : caller;
    const std::size_t size = from.read_some(asio::buffer(buffer), error);
    if (!error) asio::write(to, asio::buffer(buffer, size), error);
  }
  return 0;
}

}  // namespace bench
