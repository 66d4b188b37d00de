// What the parts of the client's sans-I/O core share.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <variant>

#include "in_flight.h"
#include "mqttrpc/mqtt/client.h"
#include "packets.h"

namespace mqttrpc::mqtt {

using OperationId = std::uint64_t;  // Names a pending operation to cancel; 0: none can.
using CodeResult = absl::StatusOr<ReasonCode>;

struct PublishOperation {
  PublishOperation() = default;
  PublishOperation(OperationId id_in, Message message_in, Completion<CodeResult> done_in)
      : id(id_in), message(std::move(message_in)), done(std::move(done_in)) {}

  OperationId id = 0;
  Message message;
  Completion<CodeResult> done;  // Empty once cancelled: the flow goes on, nobody is told.
  bool on_wire = false;         // On this connection: it takes part of the send quota.

  std::size_t bytes() const {
    return message.topic_name.size() + message.payload.size() + message.properties.view().size_bytes();
  }
};

struct SubscribeOperation {
  SubscribeOperation() = default;
  SubscribeOperation(OperationId id_in, Subscription subscription_in, MessageHandler handler_in,
                     Completion<CodeResult> done_in)
      : id(id_in),
        subscription(std::move(subscription_in)),
        handler(std::make_shared<MessageHandler>(std::move(handler_in))),
        done(std::move(done_in)) {}

  OperationId id = 0;
  Subscription subscription;
  std::shared_ptr<MessageHandler> handler;  // Null once cancelled.
  Completion<CodeResult> done;
};

struct UnsubscribeOperation {
  UnsubscribeOperation() = default;
  UnsubscribeOperation(OperationId id_in, std::string topic_filter_in, Completion<CodeResult> done_in)
      : id(id_in), topic_filter(std::move(topic_filter_in)), done(std::move(done_in)) {}

  OperationId id = 0;
  std::string topic_filter;
  Completion<CodeResult> done;  // Empty if cancelled, or if nobody asked.
};

// The client's own SUBSCRIBE for a session that the broker lost.
struct Resubscription {
  std::string topic_filter;
};

// What waits for an acknowledgement under a Packet Identifier.
using Pending = std::variant<PublishOperation, SubscribeOperation, UnsubscribeOperation, Resubscription>;

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
using Event = std::variant<StateChanged, CodeFinished, StatusFinished, Delivery>;

// What the broker takes, as CONNACK said (MQTT 3.2.2.3).
struct BrokerLimits {
  BrokerLimits() = default;
  explicit BrokerLimits(PropertiesView connack)
      : receive_maximum(connack.Get(property::kReceiveMaximum).value_or(65'535)),
        maximum_qos(connack.Get(property::kMaximumQoS).value_or(2)),
        maximum_packet_size(connack.Get(property::kMaximumPacketSize).value_or(0xFFFFFFFF)),
        retain_available(connack.Get(property::kRetainAvailable).value_or(1) != 0),
        wildcards_available(connack.Get(property::kWildcardSubscriptionAvailable).value_or(1) != 0),
        shared_available(connack.Get(property::kSharedSubscriptionAvailable).value_or(1) != 0),
        identifiers_available(connack.Get(property::kSubscriptionIdentifierAvailable).value_or(1) != 0) {}

  std::uint16_t receive_maximum = 65'535;
  std::uint8_t maximum_qos = 2;
  std::uint32_t maximum_packet_size = 0xFFFFFFFF;
  bool retain_available = true;
  bool wildcards_available = true;
  bool shared_available = true;
  bool identifiers_available = true;
};

// What Publisher, Subscriber and ClientCore all work on.
struct ClientWork {
  WireBuffer out;               // Packets for the next write.
  InFlight<Pending> in_flight;  // One space of Packet Identifiers for all (2.2.1).
  std::deque<Event> events;
  BrokerLimits limits;

  void Finish(Completion<CodeResult>& done, CodeResult result) {
    if (done) events.emplace_back(CodeFinished{std::exchange(done, {}), std::move(result)});
  }
  void Finish(Completion<absl::Status>& done, absl::Status result) {
    if (done) events.emplace_back(StatusFinished{std::exchange(done, {}), std::move(result)});
  }
};

}  // namespace mqttrpc::mqtt
