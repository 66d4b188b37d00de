// Everything a client can be told before it starts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/authenticator.h"
#include "mqttrpc/mqtt/environment.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/mqtt/reason_code.h"
#include "mqttrpc/mqtt/transport.h"

namespace mqttrpc::mqtt {

// What happens to a message that the queue has no room for.
enum class QueuePolicy {
  kRefuseNew,   // It ends with kResourceExhausted.
  kDropOldest,  // The oldest in the queue end so, until there is room.
};

struct ClientOptions {
  ClientOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // --- Where to.
  std::string broker = "mqtt://127.0.0.1:1883";

  // If not empty, used instead of `broker`: dialled in turn, without a wait
  // between them; the back-off comes after a whole round. A lost connection is
  // first tried again where it was.
  std::vector<std::string> brokers;

  // Whether to go where a broker sends us: 0x9C Use another server for one
  // connection, 0x9D Server moved for good (MQTT 4.11). Never to another URL
  // scheme. After `maximum_redirects` in a row, none of which led to a connection
  // that lasted `backoff_reset`, the client waits and goes back to its own list.
  bool follow_server_reference = true;
  unsigned maximum_redirects = 4;

  // --- Who.
  // UTF-8. Brokers must take 1-23 ASCII letters and digits (MQTT-3.1.3-5), most
  // take more. Empty: the broker assigns one, which the client then keeps.
  std::string client_id;

  std::optional<std::string> user_name;
  std::optional<std::string> password;  // Any bytes. Never logged.

  // Enhanced authentication, if not null. Borrowed.
  Authenticator* authenticator = nullptr;

  // Connections in a row that ended because another client took the session over
  // (0x8E), before this one gives up, so that two clients with one client id do
  // not throw each other out for ever. 0 never gives up.
  unsigned maximum_takeovers = 3;

  // --- The session.
  // Drops a session the broker may still have, at the first connect only
  // (MQTT-3.1.2-4); later ones resume.
  bool clean_start = true;

  // How long the broker keeps the session after the connection is lost, in
  // whole seconds; 0 ends it with the connection, 0xFFFFFFFF never (MQTT 3.1.2.11.2).
  // The broker may choose another: ConnectionState::session_expiry.
  std::chrono::seconds session_expiry{0};

  // Published by the broker when the connection is lost (MQTT 3.1.2.5), after
  // `will_delay` unless the client is back by then. Not after a Disconnect with
  // kNormalDisconnection.
  std::optional<Message> will;
  std::chrono::seconds will_delay{0};

  // --- Limits we announce.
  // How many unacknowledged QoS 1 and 2 messages the broker may send us, 1-65,535.
  std::uint16_t receive_maximum = 1024;

  // The largest packet we take, in bytes (MQTT 3.1.2.11.4).
  std::uint32_t maximum_packet_size = 1024 * 1024;

  // How many Topic Aliases the broker may use towards us; 0: none. Each may cost
  // a Topic Name's bytes.
  std::uint16_t topic_alias_maximum = 16;

  // How many we use, if the broker takes as many: for long topics that repeat.
  std::uint16_t outgoing_topic_aliases = 16;

  // Asks for Response Information in CONNACK (MQTT 3.1.2.11.6).
  bool request_response_information = false;

  // Sent with CONNECT.
  Properties connect_properties;

  // --- Time.
  // Whole seconds, 0-65,535; 0 sends no PINGREQ (MQTT 3.1.2.10). The broker may
  // put its own (MQTT-3.1.2-21). PINGREQ goes out after three quarters of it
  // without a packet one way; hearing nothing for half of it then, the
  // connection counts as lost.
  std::chrono::seconds keep_alive{60};

  // From dialling to CONNACK.
  std::chrono::milliseconds connect_timeout{10'000};

  // A PUBLISH of QoS 1 or 2, SUBSCRIBE, UNSUBSCRIBE or AUTH unanswered for this
  // long means that the connection is lost: the client reconnects and repeats. A
  // broker that answers PINGREQ but nothing else is found out only so; 30 s is
  // far above what a busy broker needs. 0 waits for ever.
  std::chrono::milliseconds acknowledgement_timeout{30'000};

  // Wait before the n-th attempt in a row: uniform in [0, min(maximum, minimum * 2^n)],
  // never under a quarter of `minimum`. Counts from the start again after a
  // connection that lasted `backoff_reset`.
  std::chrono::milliseconds backoff_minimum{200};
  std::chrono::milliseconds backoff_maximum{30'000};
  std::chrono::milliseconds backoff_reset{10'000};

  // For the last words to a broker that broke the protocol.
  std::chrono::milliseconds farewell_timeout{1'000};

  // --- The queue.
  // What may wait for the connection or for the broker's Receive Maximum, and
  // what happens beyond either.
  std::size_t maximum_queued_messages = 10'000;
  std::size_t maximum_queued_bytes = std::size_t{16} * 1024 * 1024;
  QueuePolicy queue_policy = QueuePolicy::kRefuseNew;

  // Whether QoS 0 messages wait for a connection. If not, Publish answers
  // kUnavailable at once while there is none.
  bool queue_qos0_offline = true;

  // --- The world around.
  // Called on the client's executor when the broker lost the session and then
  // refused to take a subscription again. The handler stays: the next lost
  // session is tried again.
  std::function<void(const std::string& topic_filter, const absl::Status& why)> subscription_lost;

  Connector* connector = &TcpConnector();  // Borrowed.
  Environment environment;                 // Borrowed parts.
};

// How to say good-bye (MQTT 3.14).
struct DisconnectOptions {
  DisconnectOptions() = default;

  // kDisconnectWithWillMessage has the broker publish the will all the same.
  ReasonCode reason_code = ReasonCode::kNormalDisconnection;

  // Replaces ClientOptions::session_expiry at the broker from now on. It must not
  // be above 0 if that is 0 (MQTT 3.14.2.2.2).
  std::optional<std::chrono::seconds> session_expiry;

  Properties properties;  // User properties, a Reason String.
};

}  // namespace mqttrpc::mqtt
