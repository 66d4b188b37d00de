// One way to make an echo call, as the load generator sees it.
#pragma once

#include <memory>
#include <string>

#include <absl/functional/any_invocable.h>

namespace bench {

// Calls an echo service in another process.
class Peer {
 public:
  using Done = absl::AnyInvocable<void(bool ok)>;

  virtual ~Peer() = default;

  // Starts one call; `done` comes later, on a thread of the peer's, never from
  // inside StartCall. StartCall may be called from inside `done`.
  virtual void StartCall(Done done) = 0;
};

// Calls over the MQTT broker at `broker_url`; its work runs on one thread of its own.
std::unique_ptr<Peer> NewMqttrpcPeer(const std::string& broker_url, std::size_t payload_bytes);

// Calls the gRPC server at `address`, unary, with gRPC's callback interface.
std::unique_ptr<Peer> NewGrpcPeer(const std::string& address, std::size_t payload_bytes);

// Serve until the process is killed; print a line `ready ADDRESS` when calls may come.
int ServeMqttrpc(const std::string& broker_url);
int ServeGrpc();

}  // namespace bench
