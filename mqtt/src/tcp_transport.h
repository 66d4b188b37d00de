// TCP as a Transport, for whoever has a connected socket: connector and broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/transport.h"
#include "socket_watch.h"

namespace mqttrpc::mqtt {

// How long a closed stream waits for the peer's end of it.
inline constexpr std::chrono::seconds kTcpLinger{1};

// When received bytes are acknowledged to the peer's TCP.
enum class TcpAcks : std::uint8_t {
  kDelayed,  // As the kernel likes: with our next bytes, or after up to 40 ms.
  // At the end of each turn that sent nothing. A broker that leaves Nagle's
  // algorithm on, as mosquitto does by default, holds back its next small packet
  // until then: without this every call over it takes 40 ms. (Linux.)
  kAtOnce,
};

// Takes a connected socket; its executor is the transport's. Sets TCP_NODELAY.
// After Close() the stream lingers by itself for up to kTcpLinger of `clock`,
// which must live that long.
std::unique_ptr<Transport> NewTcpTransport(std::unique_ptr<SocketWatch> socket, Clock& clock,
                                           TcpAcks acks = TcpAcks::kDelayed);

}  // namespace mqttrpc::mqtt
