#include "scenarios/relay.h"

#include <atomic>
#include <ctime>
#include <thread>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

namespace bench {
namespace {

using asio::ip::tcp;

constexpr std::size_t kPiece = 64 * 1024;

double ThreadMicroseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1000;
}

// Two sockets that are connected.
struct Stream {
  explicit Stream(asio::io_context& io) : near(io), far(io) {
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    near.connect(acceptor.local_endpoint());
    acceptor.accept(far);
    near.set_option(tcp::no_delay(true));
    far.set_option(tcp::no_delay(true));
  }
  tcp::socket near;
  tcp::socket far;
};

// Reads until the end; hands each piece to `take`.
template <class Take>
void ReadAll(tcp::socket& from, Take take) {
  std::vector<char> buffer(kPiece);
  asio::error_code error;
  for (;;) {
    const std::size_t size = from.read_some(asio::buffer(buffer), error);
    if (error) return;
    take(asio::buffer(buffer.data(), size));
  }
}

}  // namespace

double RelayMicroseconds(std::chrono::milliseconds duration) {
  asio::io_context io;
  Stream in(io);
  Stream out(io);
  double used = 0;
  double bytes = 0;
  std::thread relay([&] {
    const double before = ThreadMicroseconds();
    ReadAll(in.far, [&](asio::mutable_buffer piece) { bytes += static_cast<double>(asio::write(out.near, piece)); });
    used = ThreadMicroseconds() - before;
    out.near.close();
  });
  std::thread sink([&] { ReadAll(out.far, [](asio::mutable_buffer) {}); });
  const std::vector<char> piece(kPiece, 'x');
  for (const auto end = std::chrono::steady_clock::now() + duration; std::chrono::steady_clock::now() < end;) {
    asio::write(in.near, asio::buffer(piece));
  }
  in.near.close();
  relay.join();
  sink.join();
  return used / bytes;
}

}  // namespace bench
