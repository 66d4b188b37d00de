#include "listener.h"

#include <chrono>
#include <utility>

#include <absl/strings/str_cat.h>

#include "tcp_transport.h"

namespace mqttrpc::broker {
namespace {

using asio::ip::tcp;

// After an error that only time can mend, such as no free file descriptor.
constexpr std::chrono::milliseconds kRetryAfter{100};

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

void Listener::Start(Accepted accepted) {
  accepted_ = std::move(accepted);
  AcceptNext();
}

void Listener::Close() {
  accepted_ = nullptr;
  retry_ = nullptr;
  asio::error_code ignored;
  acceptor_.close(ignored);
}

void Listener::AcceptNext() {
  acceptor_.async_accept([self = shared_from_this()](const asio::error_code& error, tcp::socket socket) {
    self->OnAccept(error, std::move(socket));
  });
}

void Listener::OnAccept(const asio::error_code& error, tcp::socket socket) {
  if (accepted_ == nullptr) return;
  if (!error) {
    accepted_(mqtt::NewTcpTransport(std::move(socket), *environment_.clock));
    return AcceptNext();
  }
  if (error == asio::error::connection_aborted) return AcceptNext();  // It went away in the backlog.
  if (environment_.log->Wants(mqtt::LogLevel::kWarning)) {
    environment_.log->Write(
        mqtt::LogLevel::kWarning,
        absl::StrCat("event=accept_failed listener=", endpoint_.ToString(), " reason=\"", error.message(), "\""));
  }
  if (retry_ == nullptr) retry_ = environment_.clock->NewTimer(acceptor_.get_executor());
  retry_->Arm(environment_.clock->Now() + kRetryAfter, [this] { AcceptNext(); });
}

}  // namespace mqttrpc::broker
