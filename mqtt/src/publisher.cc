#include "publisher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::mqtt {
namespace {

// What may lie in the buffer before more messages wait in the queue, where they
// can still be cancelled.
constexpr std::size_t kBufferBytes = std::size_t{256} * 1024;

absl::Status CheckMessage(const Message& message) {
  if (message.properties.view().Has(PropertyId::kTopicAlias)) {
    return absl::InvalidArgumentError("Topic Alias: aliases belong to the connection, not to the message");
  }
  return CheckTopicName(message.topic_name);  // MQTT-3.3.2-2
}

}  // namespace

void Publisher::Add(PublishNode&& node, bool connected, TimePoint now) {
  PublishOperation& operation = node.front();
  if (absl::Status status = CheckMessage(operation.message); !status.ok()) {
    return work_.Finish(operation.done, std::move(status));
  }
  if (!connected && operation.message.qos == QoS::kAtMostOnce && !options_.queue_qos0_offline) {
    ++work_.statistics.dropped_offline;
    return work_.Finish(operation.done, absl::UnavailableError("no connection for a QoS 0 message"));
  }
  const std::size_t bytes = operation.bytes();
  if (bytes > options_.maximum_queued_bytes) {
    ++work_.statistics.dropped_queue_full;
    return work_.Finish(
        operation.done,
        StatusFrom(ReasonCode::kPacketTooLarge, absl::StrCat("message has ", bytes, " bytes; the client's queue takes ",
                                                             options_.maximum_queued_bytes)));
  }
  if (!MakeRoom(bytes)) {
    ++work_.statistics.dropped_queue_full;
    return work_.Finish(operation.done, absl::ResourceExhaustedError(absl::StrCat(
                                            "client queue is full: ", queue_.size(), " messages of at most ",
                                            options_.maximum_queued_messages, ", ", queued_bytes_, " + ", bytes,
                                            " bytes of at most ", options_.maximum_queued_bytes)));
  }
  const std::uint32_t expiry = operation.message.properties.view().Get(property::kMessageExpiryInterval).value_or(0);
  if (expiry != 0) operation.expires_at = now + std::chrono::seconds(expiry);
  if (operation.id != 0) cancellable_[operation.id] = node.begin();
  queue_.splice(queue_.end(), node);
  queued_bytes_ += bytes;
}

// Whether the queue takes one more message of `bytes`, perhaps at the cost of others.
bool Publisher::MakeRoom(std::size_t bytes) {
  const auto has_room = [&] {
    return queue_.size() < options_.maximum_queued_messages && queued_bytes_ + bytes <= options_.maximum_queued_bytes;
  };
  if (has_room()) return true;
  if (options_.queue_policy == QueuePolicy::kRefuseNew) return false;
  if (options_.maximum_queued_messages == 0 || bytes > options_.maximum_queued_bytes) return false;
  while (!has_room()) {
    PublishOperation& oldest = queue_.front();
    ++work_.statistics.dropped_queue_full;
    queued_bytes_ -= oldest.bytes();
    Finish(oldest, absl::ResourceExhaustedError("dropped from the full client queue for a newer message"));
    queue_.pop_front();
  }
  return true;
}

bool Publisher::MaySend(bool everything) const { return everything || work_.out.size() < kBufferBytes; }

// MQTT-3.3.4-7, MQTT-4.9.0-2; the bytes kept for repetition have a limit too.
bool Publisher::MaySendAcknowledged() const {
  return on_wire_ < work_.limits.receive_maximum &&
         (in_flight_bytes_ == 0 || in_flight_bytes_ < options_.maximum_queued_bytes);
}

void Publisher::Pump(bool everything) {
  while (!to_repeat_.empty() && MaySend(everything)) {
    const PacketId packet_id = to_repeat_.front();
    const auto* operation = As<PublishOperation>(work_.in_flight.Find(packet_id));
    // PUBREL is no part of the quota (MQTT-4.9.0-3).
    if (operation != nullptr && operation->released == 0 && on_wire_ >= work_.limits.receive_maximum) break;
    to_repeat_.pop_front();
    if (operation != nullptr) Repeat(packet_id);
  }
  while (to_repeat_.empty() && !queue_.empty() && MaySend(everything)) {
    if (queue_.front().message.qos != QoS::kAtMostOnce && !MaySendAcknowledged()) return;
    const std::size_t bytes = queue_.front().bytes();
    if (!SendFirst()) return;
    queued_bytes_ -= bytes;
  }
}

absl::Status Publisher::CheckAgainstLimits(const Message& message) const {
  if (static_cast<std::uint8_t>(message.qos) > work_.limits.maximum_qos) {  // MQTT-3.2.2-11
    return StatusFrom(ReasonCode::kQoSNotSupported,
                      absl::StrCat("message has QoS ", static_cast<int>(message.qos), "; the broker takes at most ",
                                   work_.limits.maximum_qos));
  }
  if (message.retain && !work_.limits.retain_available) {  // MQTT-3.2.2-14
    return StatusFrom(ReasonCode::kRetainNotSupported, "the broker retains no messages");
  }
  return absl::OkStatus();
}

absl::Status Publisher::Encode(const PublishOperation& operation, PacketId packet_id, bool dup) {
  const Message& message = operation.message;
  if (absl::Status status = CheckAgainstLimits(message); !status.ok()) {
    ++work_.statistics.dropped_by_limit;
    return status;
  }
  Publish publish;
  publish.dup = dup;
  publish.qos = message.qos;
  publish.retain = message.retain;
  publish.topic_name = message.topic_name;
  publish.packet_id = packet_id;
  publish.properties = message.properties;
  publish.payload = message.payload;
  // A repetition is understood without what this connection knows (MQTT-3.3.2-7).
  const OutgoingAliases::Choice choice = dup ? OutgoingAliases::Choice() : aliases_.Choose(message.topic_name);
  if (choice.alias != 0) {
    const std::uint16_t alias = choice.alias;
    // In front, where the broker can cut it off without looking further.
    aliased_properties_.assign(
        {static_cast<char>(PropertyId::kTopicAlias), static_cast<char>(alias >> 8), static_cast<char>(alias & 0xFF)});
    aliased_properties_.append(publish.properties.wire_bytes());
    publish.properties = PropertiesView::FromCheckedBytes(aliased_properties_);
    if (!choice.introduce) publish.topic_name = {};
  }
  absl::Status status = EncodeWithin(publish);
  if (!status.ok() && choice.introduce) aliases_.Forget(choice.alias);
  if (!status.ok()) ++work_.statistics.dropped_by_limit;
  if (status.ok()) ++work_.statistics.messages_sent;
  return status;
}

absl::Status Publisher::EncodeWithin(const Publish& publish) {
  const std::size_t before = work_.out.size();
  if (absl::Status status = EncodePublish(publish, Sender::kClient, work_.out); !status.ok()) return status;
  const std::size_t size = work_.out.size() - before;
  if (size <= work_.limits.maximum_packet_size) return absl::OkStatus();
  work_.out.resize(before);  // MQTT-3.2.2-15
  return StatusFrom(ReasonCode::kPacketTooLarge,
                    absl::StrCat("packet is ", size, " bytes; broker takes ", work_.limits.maximum_packet_size));
}

// A Message Expiry Interval counts from Publish(): what waited here is taken off it (3.3.2.3.3).
bool Publisher::ExpiredWaiting(PublishOperation& operation) {
  if (operation.expires_at == kNever) return false;
  if (operation.expires_at <= work_.now) {
    ++work_.statistics.dropped_expired;
    Finish(operation, absl::DeadlineExceededError(absl::StrCat("message to ", operation.message.topic_name,
                                                               " expired while it waited in the client")));
    return true;
  }
  Properties& properties = operation.message.properties;
  const auto left =
      static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(operation.expires_at - work_.now).count());
  if (left != properties.Get(property::kMessageExpiryInterval)) properties.Set(property::kMessageExpiryInterval, left);
  return false;
}

// Takes the first operation out of the queue, unless all Packet Identifiers are in use.
bool Publisher::SendFirst() {
  PublishOperation& operation = queue_.front();
  if (!ExpiredWaiting(operation)) {
    if (operation.message.qos != QoS::kAtMostOnce) return SendUnacknowledged(operation);
    if (absl::Status status = Encode(operation, 0, false); !status.ok()) {  // MQTT-4.3.1-1
      Finish(operation, std::move(status));
    } else {
      if (operation.id != 0) cancellable_.erase(operation.id);
      in_buffer_.push_back({operation.id, std::move(operation.done)});
    }
  }
  queue_.pop_front();
  return true;
}

bool Publisher::SendUnacknowledged(PublishOperation& operation) {
  const std::optional<PacketId> packet_id = work_.in_flight.Add(Pending());  // MQTT-2.2.1-3, MQTT-4.3.2-1, MQTT-4.3.3-1
  if (!packet_id.has_value()) return false;
  // MQTT-4.3.2-2, MQTT-4.3.3-2
  if (absl::Status status = Encode(operation, *packet_id, false); !status.ok()) {
    work_.in_flight.Remove(*packet_id);
    Finish(operation, std::move(status));
    queue_.pop_front();
    return true;
  }
  operation.packet_id = *packet_id;
  operation.on_wire = true;
  work_.Sent(*packet_id, operation.sent_at);
  ++on_wire_;
  in_flight_bytes_ += operation.bytes();
  auto& place = std::get<PublishNode>(*work_.in_flight.Find(*packet_id));
  place.splice(place.end(), queue_, queue_.begin());
  return true;
}

void Publisher::Finish(PublishOperation& operation, CodeResult result) {
  if (operation.id != 0) cancellable_.erase(operation.id);
  work_.Finish(operation.done, std::move(result));
}

}  // namespace mqttrpc::mqtt
