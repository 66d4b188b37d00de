// Limits of a broker. Every thing that a peer can make grow has one, here or a fixed one
// (docs/broker.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <absl/status/status.h>

#include "mqttrpc/broker/authenticator.h"
#include "mqttrpc/mqtt/environment.h"
#include "mqttrpc/mqtt/qos.h"

namespace mqttrpc::broker {

// Of one broker: bounds BrokerOptions::shards.
inline constexpr std::size_t kMaximumShards = 32;

struct BrokerOptions {
  BrokerOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // How many shards serve the clients, 1-kMaximumShards; which one is decided by the client
  // id. More than one costs something for each message between two of them, each keeps all
  // retained messages, and limits for all may be exceeded a little (docs/broker.md). Broker()
  // says which threads they run on.
  std::size_t shards = 1;

  // Open connections; more are answered 0x97 and closed.
  std::size_t maximum_connections = 100'000;

  // The largest packet taken from a client, in bytes; announced in CONNACK. When
  // unfinished packets take a quarter of maximum_total_queued_bytes, the largest of
  // them is given up with 0x97, a CONNECT too. Over 1 MiB, SUBSCRIBE and UNSUBSCRIBE
  // are refused with 0x97.
  std::uint32_t maximum_packet_size = 16 * 1024 * 1024;

  // The same before a CONNECT was accepted: a client id, a user name, a password and
  // a will, each as long as MQTT allows.
  std::uint32_t maximum_connect_packet_size = 512 * 1024;

  // From accepting a stream to its whole CONNECT; then it is closed.
  std::chrono::milliseconds connect_timeout{10'000};

  // How long one write, of 256 KiB at most, may take: a client that takes less in that
  // time is disconnected with 0x97, since what waits for it is memory of all.
  std::chrono::milliseconds write_timeout{30'000};

  // Keep Alive in seconds above which, and instead of 0 (never), the broker puts
  // its own (Server Keep Alive). 0: clients' values stand.
  std::uint16_t maximum_keep_alive = 0;

  // The highest QoS taken and granted, 0-2. Publishing above it ends a connection
  // with 0x9B; subscriptions are granted less (MQTT 3.2.2.3.4).
  mqtt::QoS maximum_qos = mqtt::QoS::kExactlyOnce;

  // Unacknowledged QoS 1 and 2 messages a client may have under way to us (1-65,535).
  std::uint16_t receive_maximum = 1024;

  // The same towards a client, whatever more it would take (1-65,535).
  std::uint16_t maximum_in_flight = 1024;

  // Topic Aliases a client may use; 0 none.
  std::uint16_t topic_alias_maximum = 32;

  // Topic Aliases we use towards a client that takes some; 0 none.
  std::uint16_t outgoing_topic_alias_maximum = 16;

  // How long a session may outlive its connection, in seconds; clients that ask for
  // more learn it in CONNACK. 0xFFFFFFFF: for ever (MQTT 3.1.2.11.2).
  std::uint32_t maximum_session_expiry = 7 * 24 * 3600;

  // The same for clients of MQTT 3 with Clean Session 0, which cannot ask.
  std::uint32_t v3_session_expiry = 24 * 3600;

  // Sessions, connected or not. Beyond it, new ones end with their connection.
  std::size_t maximum_sessions = 200'000;

  // Whether retained messages are kept; else they are refused with 0x9A.
  bool retain_available = true;

  // Retained messages, and their bytes; more are refused with 0x97.
  std::size_t maximum_retained_messages = 1'000'000;
  std::size_t maximum_retained_bytes = 64 * 1024 * 1024;

  // How often the values under $SYS are sent to those who subscribed to them, in
  // whole seconds; 0: there are none.
  std::chrono::seconds sys_interval{10};

  // Longer Topic Names and Filters, in bytes, are refused with 0x90 and 0x8F. MQTT
  // itself allows 65,535.
  std::size_t maximum_topic_bytes = 65'535;

  // Topic Filters a client may have at a time, and the memory they may take, in
  // bytes; more are refused with 0x97.
  std::size_t maximum_subscriptions = 10'000;
  std::size_t maximum_subscription_bytes = 16 * 1024 * 1024;

  // What may wait for one client; a single message always may. Beyond it, further
  // messages for it are dropped and counted. A client that does not read our answers is
  // not read from either.
  std::size_t maximum_queued_messages = 10'000;
  std::size_t maximum_queued_bytes = 16 * 1024 * 1024;

  // The same for all clients together, in bytes; none of them may have more than a share
  // of what is left of it (docs/broker.md). Subscriptions and sessions count too: up to
  // half of it. mqttrpcd takes a quarter of the memory it may use.
  std::size_t maximum_total_queued_bytes = 256 * 1024 * 1024;

  // Response Information for a client that asks: this, then its client id (4.10.1).
  // Empty: none.
  std::string response_information_prefix = "rpc1/r/";

  // Decides over clients that name an Authentication Method; borrowed. Null: they are
  // refused with 0x8C. Clients that name none come in without it. Shards on several threads
  // call it at the same time.
  Authenticator* authenticator = nullptr;

  // Shards on several threads use it at the same time.
  mqtt::Environment environment;
};

// kInvalidArgument if a value is out of its range: which, and what it may be. Done by
// Broker::Listen(); where nobody asks, the nearest value that works is taken.
absl::Status Check(const BrokerOptions& options);

}  // namespace mqttrpc::broker
