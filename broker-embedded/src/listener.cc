#include "listener.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include <absl/strings/str_cat.h>

#include "tcp_transport.h"

namespace mqttrpc::broker {
namespace {

using asio::ip::tcp;

// After an error that only time can mend, such as no free file descriptor.
constexpr std::chrono::milliseconds kRetryAfter{100};

// In a row, before those that are here already have their turn.
constexpr int kAcceptedPerTurn = 64;

absl::Status Unavailable(const mqtt::Endpoint& endpoint, const asio::error_code& error) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", endpoint.ToString(), ": ", error.message()));
}

absl::StatusOr<tcp::endpoint> AddressOf(const asio::any_io_executor& executor, const mqtt::Endpoint& endpoint) {
  asio::error_code error;
  const asio::ip::address address = asio::ip::make_address(endpoint.host, error);
  if (!error) return tcp::endpoint(address, endpoint.port);
  tcp::resolver resolver(executor);
  const auto results = resolver.resolve(endpoint.host, std::to_string(endpoint.port), tcp::resolver::passive, error);
  if (error) return Unavailable(endpoint, error);
  return results.begin()->endpoint();
}

}  // namespace

Listener::Listener(tcp::acceptor acceptor, mqtt::Endpoint endpoint, const mqtt::Environment& environment)
    : acceptor_(std::move(acceptor)), endpoint_(std::move(endpoint)), environment_(environment) {}

absl::StatusOr<std::shared_ptr<Listener>> Listener::Open(asio::any_io_executor executor, const mqtt::Endpoint& endpoint,
                                                         const mqtt::Environment& environment) {
  const auto address = AddressOf(executor, endpoint);
  if (!address.ok()) return address.status();
  tcp::acceptor acceptor(executor);
  asio::error_code error;
  acceptor.open(address->protocol(), error);
  // Without it a restarted broker would have to wait for old connections to fade.
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(*address, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Unavailable(endpoint, error);
  const tcp::endpoint bound = acceptor.local_endpoint(error);
  if (error) return Unavailable(endpoint, error);
  mqtt::Endpoint bound_endpoint(bound.address().to_string(), bound.port());
  return std::shared_ptr<Listener>(new Listener(std::move(acceptor), std::move(bound_endpoint), environment));
}

void Listener::Start(std::shared_ptr<mqtt::SocketPoller> poller, Accepted accepted) {
  poller_ = std::move(poller);
  accepted_ = std::move(accepted);
  asio::error_code ignored;
  acceptor_.non_blocking(true, ignored);
  AwaitNext();
}

void Listener::Close() {
  accepted_ = nullptr;
  retry_ = nullptr;
  poller_ = nullptr;
  asio::error_code ignored;
  acceptor_.close(ignored);
}

void Listener::AwaitNext() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [self = shared_from_this()](const asio::error_code& error) {
    if (self->accepted_ == nullptr) return;
    if (error) return self->RetryLater(error.value());
    self->AcceptWaiting();
  });
}

void Listener::AcceptWaiting() {
  for (int i = 0; i < kAcceptedPerTurn; ++i) {
    const int descriptor = accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      if (auto transport = TransportOf(descriptor)) accepted_(std::move(transport));
      if (accepted_ == nullptr) return;
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;  // It went away in the backlog.
    if (errno != EAGAIN && errno != EWOULDBLOCK) return RetryLater(errno);
    break;
  }
  AwaitNext();
}

std::unique_ptr<mqtt::Transport> Listener::TransportOf(int descriptor) {
  std::unique_ptr<mqtt::SocketWatch> watch;
  if (poller_ != nullptr) {
    watch = poller_->Watch(descriptor);
  } else {
    asio::error_code error;
    tcp::socket socket(acceptor_.get_executor());
    const bool v6 = endpoint_.host.find(':') != std::string::npos;  // As bound: an address.
    socket.assign(v6 ? tcp::v6() : tcp::v4(), descriptor, error);
    if (!error) watch = mqtt::NewAsioSocketWatch(std::move(socket));
    if (error) close(descriptor);
  }
  if (watch != nullptr) return mqtt::NewTcpTransport(std::move(watch), *environment_.clock);
  LogFailure(errno);
  return nullptr;
}

void Listener::RetryLater(int error) {
  LogFailure(error);
  if (retry_ == nullptr) retry_ = environment_.clock->NewTimer(acceptor_.get_executor());
  retry_->Arm(environment_.clock->Now() + kRetryAfter, [this] { AcceptWaiting(); });
}

void Listener::LogFailure(int error) const {
  if (environment_.log->Wants(mqtt::LogLevel::kWarning)) {
    environment_.log->Write(mqtt::LogLevel::kWarning,
                            absl::StrCat("event=accept_failed listener=", endpoint_.ToString(), " reason=\"",
                                         std::generic_category().message(error), "\""));
  }
}

}  // namespace mqttrpc::broker
