#include "listener.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include <absl/strings/str_cat.h>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

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

absl::StatusOr<tcp::endpoint> AddressOf(asio::io_context& io, const mqtt::Endpoint& endpoint) {
  asio::error_code error;
  const asio::ip::address address = asio::ip::make_address(endpoint.host, error);
  if (!error) return tcp::endpoint(address, endpoint.port);
  tcp::resolver resolver(io);
  const auto results = resolver.resolve(endpoint.host, std::to_string(endpoint.port), tcp::resolver::passive, error);
  if (error) return Unavailable(endpoint, error);
  return results.begin()->endpoint();
}

}  // namespace

Listener::Listener(asio::any_io_executor executor, int descriptor, mqtt::Endpoint endpoint,
                   const mqtt::Environment& environment)
    : executor_(std::move(executor)),
      unwatched_(descriptor),
      endpoint_(std::move(endpoint)),
      environment_(environment) {}

Listener::~Listener() {
  if (unwatched_ >= 0) close(unwatched_);
}

absl::StatusOr<std::shared_ptr<Listener>> Listener::Open(asio::any_io_executor executor, const mqtt::Endpoint& endpoint,
                                                         const mqtt::Environment& environment) {
  asio::io_context io;  // To open it only.
  const auto address = AddressOf(io, endpoint);
  if (!address.ok()) return address.status();
  tcp::acceptor acceptor(io);
  asio::error_code error;
  acceptor.open(address->protocol(), error);
  // Without it a restarted broker would have to wait for old connections to fade.
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(*address, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) acceptor.native_non_blocking(true, error);
  if (error) return Unavailable(endpoint, error);
  const tcp::endpoint bound = acceptor.local_endpoint(error);
  if (error) return Unavailable(endpoint, error);
  mqtt::Endpoint bound_endpoint(bound.address().to_string(), bound.port());
  const int descriptor = acceptor.release(error);
  if (error) return Unavailable(endpoint, error);
  return std::shared_ptr<Listener>(
      new Listener(std::move(executor), descriptor, std::move(bound_endpoint), environment));
}

void Listener::Start(std::shared_ptr<mqtt::SocketPoller> poller, Accepted accepted) {
  poller_ = std::move(poller);
  accepted_ = std::move(accepted);
  socket_ = mqtt::WatchSocket(std::exchange(unwatched_, -1), executor_, poller_.get());
  if (socket_ == nullptr) return LogFailure(errno);
  socket_->AwaitReadable(shared_from_this());
}

void Listener::Close() {
  accepted_ = nullptr;
  retry_ = nullptr;
  if (unwatched_ >= 0) close(std::exchange(unwatched_, -1));
  if (socket_ != nullptr) socket_->Close();
  poller_ = nullptr;
}

void Listener::AcceptWaiting() {
  for (int i = 0; i < kAcceptedPerTurn; ++i) {
    if (accepted_ == nullptr) return;
    const int descriptor = accept4(socket_->descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      if (auto transport = TransportOf(descriptor)) accepted_(std::move(transport));
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;  // It went away in the backlog.
    if (errno != EAGAIN && errno != EWOULDBLOCK) return RetryLater(errno);
    socket_->OnDrained();
    break;
  }
  if (accepted_ != nullptr) socket_->AwaitReadable(shared_from_this());
}

std::unique_ptr<mqtt::Transport> Listener::TransportOf(int descriptor) {
  auto watch = mqtt::WatchSocket(descriptor, executor_, poller_.get());
  if (watch != nullptr) return mqtt::NewTcpTransport(std::move(watch), *environment_.clock);
  LogFailure(errno);
  return nullptr;
}

void Listener::RetryLater(int error) {
  LogFailure(error);
  if (retry_ == nullptr) retry_ = environment_.clock->NewTimer(executor_);
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
