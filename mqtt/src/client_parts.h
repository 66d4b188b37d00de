// What the parts of the client's sans-I/O core share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "fifo.h"
#include "in_flight.h"
#include "mqttrpc/mqtt/client.h"
#include "packets.h"

namespace mqttrpc::mqtt {

using OperationId = std::uint64_t;  // Names a pending operation to cancel; 0: none can.
using CodeResult = absl::StatusOr<ReasonCode>;

struct PublishOperation {
  PublishOperation() = default;
  PublishOperation(OperationId id_in, Message&& message_in, Completion<CodeResult>&& done_in)
      : id(id_in), message(std::move(message_in)), done(std::move(done_in)) {}

  OperationId id = 0;
  Message message;
  Completion<CodeResult> done;    // Empty once cancelled: the flow goes on, nobody is told.
  TimePoint sent_at = kNever;     // On this connection, and unanswered since.
  TimePoint expires_at = kNever;  // By its Message Expiry Interval.
  PacketId packet_id = 0;         // 0: it is not in flight.
  bool on_wire = false;           // On this connection: it takes part of the send quota.

  // QoS 2: when its PUBREC came, counted from 1; PUBREL is due or sent, and the
  // message itself is no longer kept.
  std::uint64_t released = 0;
  ReasonCode received_code = ReasonCode::kSuccess;  // What PUBREC said.

  std::size_t bytes() const {
    return message.topic_name.size() + message.payload.size() + message.properties.view().size_bytes();
  }
};

// One operation in a list's node, or none. It is born there, and wanders by splicing: so it
// is allocated once and stays where it is, in the queue and in flight.
using PublishNode = std::list<PublishOperation>;

// One of the two.
struct Handler {
  explicit Handler(MessageHandler plain_in) : plain(std::move(plain_in)) {}
  explicit Handler(AcknowledgingHandler acknowledging_in) : acknowledging(std::move(acknowledging_in)) {}

  MessageHandler plain;
  AcknowledgingHandler acknowledging;
};

struct SubscribeOperation {
  SubscribeOperation() = default;
  SubscribeOperation(OperationId id_in, Subscription subscription_in, std::shared_ptr<Handler> handler_in,
                     Completion<CodeResult> done_in)
      : id(id_in), subscription(std::move(subscription_in)), handler(std::move(handler_in)), done(std::move(done_in)) {}

  OperationId id = 0;
  Subscription subscription;
  std::shared_ptr<Handler> handler;  // Null once cancelled.
  Completion<CodeResult> done;
  TimePoint sent_at = kNever;
};

struct UnsubscribeOperation {
  UnsubscribeOperation() = default;
  UnsubscribeOperation(OperationId id_in, std::string topic_filter_in, Completion<CodeResult> done_in)
      : id(id_in), topic_filter(std::move(topic_filter_in)), done(std::move(done_in)) {}

  OperationId id = 0;
  std::string topic_filter;
  Completion<CodeResult> done;  // Empty if cancelled, or if nobody asked.
  TimePoint sent_at = kNever;
};

// The client's own SUBSCRIBE for a session that the broker lost.
struct Resubscription {
  explicit Resubscription(std::string topic_filter_in) : topic_filter(std::move(topic_filter_in)) {}

  std::string topic_filter;
  TimePoint sent_at = kNever;
};

// What waits for an acknowledgement under a Packet Identifier. By pointers, since the
// places of InFlight are moved and made in advance.
using Pending = std::variant<PublishNode, std::unique_ptr<SubscribeOperation>, std::unique_ptr<UnsubscribeOperation>,
                             std::unique_ptr<Resubscription>>;

// The operation in it, if it is of that kind; else null, as for null.
template <typename Operation>
Operation* As(Pending* pending) {
  if (pending == nullptr) return nullptr;
  if constexpr (std::is_same_v<Operation, PublishOperation>) {
    auto* node = std::get_if<PublishNode>(pending);
    return node == nullptr || node->empty() ? nullptr : &node->front();
  } else {
    auto* box = std::get_if<std::unique_ptr<Operation>>(pending);
    return box == nullptr ? nullptr : box->get();
  }
}

// When the packet went out on this connection; kNever if it did not.
inline TimePoint SentAt(Pending& pending) {
  if (auto* publish = As<PublishOperation>(&pending)) return publish->sent_at;
  if (auto* subscribe = As<SubscribeOperation>(&pending)) return subscribe->sent_at;
  if (auto* unsubscribe = As<UnsubscribeOperation>(&pending)) return unsubscribe->sent_at;
  if (auto* again = As<Resubscription>(&pending)) return again->sent_at;
  return kNever;
}

// What the shell is to do with the application, in this order.
struct StateChanged {
  std::shared_ptr<const ConnectionState> state;
};
struct CodeFinished {
  Completion<CodeResult> done;
  CodeResult result;
};
struct StatusFinished {
  Completion<absl::Status> done;
  absl::Status result;
};
struct Delivery {
  MessageView message;  // For ClientCore::receivers(); then call ClientCore::Delivered().
};
struct SubscriptionLost {
  std::string topic_filter;
  absl::Status why;
};
using Event = std::variant<StateChanged, CodeFinished, StatusFinished, Delivery, SubscriptionLost>;

// What the broker takes, as CONNACK said (MQTT 3.2.2.3).
struct BrokerLimits {
  BrokerLimits() = default;
  explicit BrokerLimits(PropertiesView connack)
      : receive_maximum(connack.Get(property::kReceiveMaximum).value_or(65'535)),
        maximum_qos(connack.Get(property::kMaximumQoS).value_or(2)),
        topic_alias_maximum(connack.Get(property::kTopicAliasMaximum).value_or(0)),  // MQTT-3.2.2-18
        maximum_packet_size(connack.Get(property::kMaximumPacketSize).value_or(0xFFFFFFFF)),
        retain_available(connack.Get(property::kRetainAvailable).value_or(1) != 0),
        wildcards_available(connack.Get(property::kWildcardSubscriptionAvailable).value_or(1) != 0),
        shared_available(connack.Get(property::kSharedSubscriptionAvailable).value_or(1) != 0),
        identifiers_available(connack.Get(property::kSubscriptionIdentifierAvailable).value_or(1) != 0) {}

  std::uint16_t receive_maximum = 65'535;
  std::uint8_t maximum_qos = 2;
  std::uint16_t topic_alias_maximum = 0;
  std::uint32_t maximum_packet_size = 0xFFFFFFFF;
  bool retain_available = true;
  bool wildcards_available = true;
  bool shared_available = true;
  bool identifiers_available = true;
};

// A client has few of them, which fill and drain all the time.
template <typename T>
using BusyQueue = Fifo<T, std::size_t{64} * 1024>;

// What Publisher, Subscriber and ClientCore all work on.
struct ClientWork {
  WireBuffer out;               // Packets for the next write.
  InFlight<Pending> in_flight;  // One space of Packet Identifiers for all (2.2.1).
  BusyQueue<Event> events;
  BrokerLimits limits;
  ClientStatistics statistics;  // The counters; what is "now" is filled in when asked for.
  TimePoint now{};              // Of the input that is being worked on.

  // Notes that the packet under `packet_id` went out and wants an answer in time.
  // Packets are answered in any order, so the list may name some that are not
  // waited for any more.
  void Sent(PacketId packet_id, TimePoint& sent_at) {
    sent_at = now;
    unanswered_.push({packet_id, now});
  }
  // When the oldest unanswered packet was sent; kNever if there is none. Cheap.
  TimePoint OldestSent() {
    for (; !unanswered_.empty(); unanswered_.pop()) {
      const auto& [packet_id, sent_at] = unanswered_.front();
      Pending* pending = in_flight.Find(packet_id);
      if (pending != nullptr && SentAt(*pending) == sent_at) return sent_at;
    }
    return kNever;
  }
  void ForgetSent() { unanswered_.clear(); }

  void Finish(Completion<CodeResult>& done, CodeResult result) {
    if (done) events.push(CodeFinished{std::exchange(done, {}), std::move(result)});
  }
  void Finish(Completion<absl::Status>& done, absl::Status result) {
    if (done) events.push(StatusFinished{std::exchange(done, {}), std::move(result)});
  }

 private:
  BusyQueue<std::pair<PacketId, TimePoint>> unanswered_;
};

}  // namespace mqttrpc::mqtt
