// What a client tells about its connection and its work.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/properties.h"

namespace mqttrpc::mqtt {

// What a client tells about its connection. A copy: it does not change.
//
// Start() -> kConnecting -> kConnected; a lost or refused connection -> kWaiting, then
// kConnecting again; Disconnect() or giving up -> kStopped (docs/client.md).
struct ConnectionState {
  enum class Kind {
    kStopped,     // Not started, disconnected, or given up: see `why`.
    kConnecting,  // Dialling, or waiting for CONNACK.
    kConnected,
    kWaiting,  // Lost or refused: see `why`; dials again at `next_try`.
  };

  ConnectionState() = default;

  Kind kind = Kind::kStopped;

  // For kWaiting and kStopped: the broker's Reason Code, if there was one
  // (ReasonCodeOf() in status.h), or the transport's error. OkStatus before Start() and
  // after Disconnect().
  absl::Status why;

  TimePoint next_try{};  // For kWaiting, on the client's clock.
  // For kConnected: the broker still had our session, for sure. False also where an earlier
  // CONNECT was never answered: the session that it has may have begun there.
  bool session_present = false;
  std::string client_id;  // As in use: ours, or the broker's choice.
  std::string broker;     // The URL that is or was dialled.

  // For kConnected: how long the broker keeps the session, ours or its choice (MQTT 3.2.2.3.2).
  std::chrono::seconds session_expiry{0};

  // For kConnected: what CONNACK said, e.g. kResponseInformation.
  Properties connack_properties;
};

// "connected" and the like, for logs and metrics. The text is static.
std::string_view NameOf(ConnectionState::Kind kind);

// Stops watching when destroyed. May outlive the client. Destroyed on another
// thread than the client's, a call that runs just then may end after it.
class [[nodiscard]] StateWatch {
 public:
  virtual ~StateWatch() = default;
};

// What a client has counted since it was made, over all its connections; never set
// back. What is "now" is as of its last turn. A message is counted as dropped at most
// once; its Publish() ends with an error that says the same.
struct ClientStatistics {
  ClientStatistics() = default;

  // Connections. CONNACKs with success; of those, how many ended without Disconnect().
  std::uint64_t connections = 0;
  std::uint64_t connections_lost = 0;
  // Connected again, but the broker had no session: what it held for us is gone.
  std::uint64_t sessions_lost = 0;

  // What went over them.
  std::uint64_t messages_sent = 0;        // PUBLISH packets, repetitions included.
  std::uint64_t messages_repeated = 0;    // With DUP.
  std::uint64_t messages_received = 0;    // PUBLISH packets.
  std::uint64_t duplicates_received = 0;  // QoS 2, or held by a handler: not handed over again.
  std::uint64_t messages_unhandled = 0;   // For which there was no handler: acknowledged and thrown away.
  std::uint64_t bytes_sent = 0;           // Handed to the transport.
  std::uint64_t bytes_received = 0;

  // What we were given to publish and did not bring to the broker.
  std::uint64_t dropped_queue_full = 0;  // Refused or dropped, by ClientOptions::queue_policy.
  std::uint64_t dropped_offline = 0;     // QoS 0 without a connection, or lost with it.
  std::uint64_t dropped_expired = 0;     // Their Message Expiry Interval passed while they waited here.
  std::uint64_t dropped_by_limit = 0;    // Over what the broker takes.
  // What it got and did not take: PUBACK or PUBREC with an error.
  std::uint64_t refused_by_broker = 0;

  // How much waits at the moment. In bytes: topic names, payloads and properties.
  std::size_t queued_messages = 0;  // Now.
  std::size_t queued_bytes = 0;     // Now.
  std::size_t in_flight = 0;        // Now: requests and messages that wait for an answer.
  std::size_t unacknowledged = 0;   // Now: received, and the broker waits for our answer.
};

}  // namespace mqttrpc::mqtt
