// One way to make an echo call, as the load sees it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <absl/functional/any_invocable.h>

namespace bench {

// The largest message that callers and servers take, of either system.
inline constexpr std::size_t kLargestMessageBytes = 32 * 1024 * 1024;

// Some callers that call an echo service in another process.
class Peer {
 public:
  using Done = absl::AnyInvocable<void(bool ok)>;

  virtual ~Peer() = default;

  // Starts one call; `done` comes later, on a thread of the peer's, never from
  // inside StartCall. StartCall may be called from inside `done`, and for each caller
  // from several threads.
  virtual void StartCall(std::size_t caller, Done done) = 0;
};

struct PeerOptions {
  std::string address;      // A broker's URL, or a gRPC server's HOST:PORT.
  std::size_t callers = 1;  // Each has a connection of its own.
  std::size_t payload_bytes = 64;
  std::size_t frame_bytes = 0;  // StreamLimits::frame_bytes, of ours only; 0: the default.
};

// Calls over an MQTT broker; all its clients run on one thread of its own.
std::unique_ptr<Peer> NewMqttrpcPeer(const PeerOptions& options);

// Unary calls with gRPC's callback interface.
std::unique_ptr<Peer> NewGrpcPeer(const PeerOptions& options);

// One bidirectional gRPC stream for each caller: a request is a message on it, and
// answers come in order.
std::unique_ptr<Peer> NewGrpcStreamPeer(const PeerOptions& options);

// Bytes that a relay carries to an echo server and back, without any protocol: about the
// least that a call through a third process can cost. One caller. `address` is the relay's
// port.
std::unique_ptr<Peer> NewBarePeer(const PeerOptions& options);

// One caller, its broker and the device, all on one thread of this process.
std::unique_ptr<Peer> NewInProcessPeer(std::size_t payload_bytes);

// The same over gRPC's in-process channel, unary, on the threads gRPC makes.
std::unique_ptr<Peer> NewGrpcInProcessPeer(std::size_t payload_bytes);

// Serve until the process is killed; print a line `ready ADDRESS` when calls may come.
// `frame_bytes`: as above.
int ServeMqttrpc(const std::string& broker_url, std::size_t frame_bytes);
int ServeGrpc();
// For one connection, with the port for an address. Carries its bytes to the port `next` and
// back, or echoes them if that is empty.
int ServeBareRelay(const std::string& next);

}  // namespace bench
