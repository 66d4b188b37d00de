// Accepts TCP connections.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <absl/status/statusor.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/mqtt/endpoint.h"
#include "mqttrpc/mqtt/environment.h"
#include "mqttrpc/mqtt/transport.h"
#include "socket_poller.h"
#include "socket_watch.h"

namespace mqttrpc::broker {

// One listening socket.
class Listener final : public mqtt::SocketWatch::Target, public std::enable_shared_from_this<Listener> {
 public:
  using Accepted = std::function<void(std::unique_ptr<mqtt::Transport>)>;

  // Binds and listens; from then on the system takes connections. Any thread.
  // Resolves a host name, which may block. Errors: kUnavailable.
  static absl::StatusOr<std::shared_ptr<Listener>> Open(asio::any_io_executor executor, const mqtt::Endpoint& endpoint,
                                                        const mqtt::Environment& environment);

  ~Listener();

  // As bound, with the port that the system chose.
  const mqtt::Endpoint& endpoint() const { return endpoint_; }

  // On the executor: begins to hand over connections, until Close(). If the
  // system has no descriptors left, it tries again a little later. `poller` watches
  // all sockets; null: each by itself.
  void Start(std::shared_ptr<mqtt::SocketPoller> poller, Accepted accepted);
  void Close();

 private:
  Listener(asio::any_io_executor executor, int descriptor, mqtt::Endpoint endpoint,
           const mqtt::Environment& environment);

  // SocketWatch::Target:
  void OnReadable() override { AcceptWaiting(); }
  void OnWritable() override {}

  void AcceptWaiting();
  void RetryLater(int error);
  void LogFailure(int error) const;
  std::unique_ptr<mqtt::Transport> TransportOf(int descriptor);

  const asio::any_io_executor executor_;
  int unwatched_;  // The socket, until Start(); -1 then.
  std::unique_ptr<mqtt::SocketWatch> socket_;
  const mqtt::Endpoint endpoint_;
  const mqtt::Environment environment_;
  std::shared_ptr<mqtt::SocketPoller> poller_;
  Accepted accepted_;  // Null once closed.
  std::unique_ptr<mqtt::Timer> retry_;
};

}  // namespace mqttrpc::broker
