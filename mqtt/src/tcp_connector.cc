#include <utility>

#include <absl/strings/str_cat.h>
#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include "mqttrpc/mqtt/clock.h"
#include "tcp_transport.h"

namespace mqttrpc::mqtt {
namespace {

using asio::ip::tcp;

// Resolves, then tries the addresses in turn.
class Dial : public std::enable_shared_from_this<Dial> {
 public:
  Dial(const Endpoint& endpoint, const asio::any_io_executor& executor, Connector::Done done)
      : endpoint_(endpoint), resolver_(executor), socket_(executor), done_(std::move(done)) {}

  void Start() {
    // A literal address needs no resolver, which would start a thread.
    asio::error_code not_an_address;
    const asio::ip::address address = asio::ip::make_address(endpoint_.host, not_an_address);
    if (!not_an_address) {
      return socket_.async_connect(tcp::endpoint(address, endpoint_.port),
                                   [self = shared_from_this()](const asio::error_code& error) { self->End(error); });
    }
    resolver_.async_resolve(
        endpoint_.host, std::to_string(endpoint_.port),
        [self = shared_from_this()](const asio::error_code& error, const tcp::resolver::results_type& addresses) {
          if (error || !self->done_) return self->End(error);
          asio::async_connect(self->socket_, addresses,
                              [self](const asio::error_code& failed, const tcp::endpoint&) { self->End(failed); });
        });
  }

  void Cancel() {
    done_ = nullptr;
    resolver_.cancel();
    asio::error_code ignored;
    socket_.close(ignored);
  }

 private:
  void End(const asio::error_code& error) {
    if (!done_) return;
    Connector::Done done = std::exchange(done_, nullptr);
    if (error) {
      done(absl::UnavailableError(absl::StrCat("connect to ", endpoint_.ToString(), ": ", error.message())));
    } else {
      // Real sockets keep real time.
      done(NewTcpTransport(NewAsioSocketWatch(std::move(socket_)), SystemClock(), TcpAcks::kAtOnce));
    }
  }

  const Endpoint endpoint_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  Connector::Done done_;  // Null: given up.
};

class TcpAttempt final : public Connector::Attempt {
 public:
  explicit TcpAttempt(std::shared_ptr<Dial> dial) : dial_(std::move(dial)) {}
  ~TcpAttempt() override { dial_->Cancel(); }

 private:
  const std::shared_ptr<Dial> dial_;
};

class TheTcpConnector final : public Connector {
 public:
  std::unique_ptr<Attempt> Connect(const Endpoint& endpoint, asio::any_io_executor executor, Done done) override {
    auto dial = std::make_shared<Dial>(endpoint, executor, std::move(done));
    dial->Start();
    return std::make_unique<TcpAttempt>(std::move(dial));
  }
};

}  // namespace

Connector& TcpConnector() {
  static TheTcpConnector& connector = *new TheTcpConnector;
  return connector;
}

}  // namespace mqttrpc::mqtt
