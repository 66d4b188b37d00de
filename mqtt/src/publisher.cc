#include "publisher.h"

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
  if (message.qos == QoS::kExactlyOnce) return absl::UnimplementedError("QoS 2");
  if (message.properties.view().Has(PropertyId::kTopicAlias)) {
    return absl::InvalidArgumentError("Topic Alias: aliases belong to the connection, not to the message");
  }
  return CheckTopicName(message.topic_name);  // MQTT-3.3.2-2
}

}  // namespace

void Publisher::Add(PublishOperation operation) {
  if (absl::Status status = CheckMessage(operation.message); !status.ok()) {
    return work_.Finish(operation.done, std::move(status));
  }
  const std::size_t bytes = operation.bytes();
  if (queue_.size() >= options_.maximum_queued_messages || queued_bytes_ + bytes > options_.maximum_queued_bytes) {
    return work_.Finish(operation.done, absl::ResourceExhaustedError(absl::StrCat(
                                            "client queue is full: ", queue_.size(), " messages of at most ",
                                            options_.maximum_queued_messages, ", ", queued_bytes_, " + ", bytes,
                                            " bytes of at most ", options_.maximum_queued_bytes)));
  }
  const OperationId id = operation.id;
  queue_.push_back(std::move(operation));
  queued_bytes_ += bytes;
  if (id != 0) places_[id].queued = std::prev(queue_.end());
}

bool Publisher::MaySend(bool everything) const { return everything || work_.out.size() < kBufferBytes; }

// MQTT-3.3.4-7, MQTT-4.9.0-2; the bytes kept for repetition have a limit too.
bool Publisher::MaySendQoS1() const {
  return on_wire_ < work_.limits.receive_maximum &&
         (in_flight_bytes_ == 0 || in_flight_bytes_ < options_.maximum_queued_bytes);
}

void Publisher::Pump(bool everything) {
  while (!to_repeat_.empty() && MaySend(everything) && on_wire_ < work_.limits.receive_maximum) {
    const PacketId packet_id = to_repeat_.front();
    to_repeat_.pop_front();
    Repeat(packet_id);
  }
  while (to_repeat_.empty() && !queue_.empty() && MaySend(everything)) {
    PublishOperation& next = queue_.front();
    const std::size_t bytes = next.bytes();
    if (next.message.qos != QoS::kAtMostOnce && !MaySendQoS1()) return;
    if (!SendNew(next)) return;
    queued_bytes_ -= bytes;
    queue_.pop_front();
  }
}

absl::Status Publisher::CheckAgainstLimits(const Message& message) const {
  if (static_cast<std::uint8_t>(message.qos) > work_.limits.maximum_qos) {  // MQTT-3.2.2-11
    return StatusFrom(ReasonCode::kQoSNotSupported, "the broker takes QoS 0 only");
  }
  if (message.retain && !work_.limits.retain_available) {  // MQTT-3.2.2-14
    return StatusFrom(ReasonCode::kRetainNotSupported, "the broker retains no messages");
  }
  return absl::OkStatus();
}

absl::Status Publisher::Encode(const PublishOperation& operation, PacketId packet_id, bool dup) {
  const Message& message = operation.message;
  if (absl::Status status = CheckAgainstLimits(message); !status.ok()) return status;
  Publish publish;
  publish.dup = dup;
  publish.qos = message.qos;
  publish.retain = message.retain;
  publish.topic_name = message.topic_name;
  publish.packet_id = packet_id;
  publish.properties = message.properties;
  publish.payload = message.payload;
  const std::size_t before = work_.out.size();
  if (absl::Status status = EncodePublish(publish, Sender::kClient, work_.out); !status.ok()) return status;
  const std::size_t size = work_.out.size() - before;
  if (size <= work_.limits.maximum_packet_size) return absl::OkStatus();
  work_.out.resize(before);  // MQTT-3.2.2-15
  return StatusFrom(ReasonCode::kPacketTooLarge,
                    absl::StrCat("packet is ", size, " bytes; broker takes ", work_.limits.maximum_packet_size));
}

// Takes the operation out of the queue, unless all Packet Identifiers are in use.
bool Publisher::SendNew(PublishOperation& operation) {
  if (operation.message.qos == QoS::kAtMostOnce) {
    if (absl::Status status = Encode(operation, 0, false); !status.ok()) {
      Finish(operation, std::move(status));
      return true;
    }
    if (operation.id != 0) places_.erase(operation.id);
    in_buffer_.push_back({operation.id, std::move(operation.done)});
    return true;
  }
  const std::size_t bytes = operation.bytes();
  const std::optional<PacketId> packet_id = work_.in_flight.Add(Pending());  // MQTT-2.2.1-3
  if (!packet_id.has_value()) return false;
  if (absl::Status status = Encode(operation, *packet_id, false); !status.ok()) {
    work_.in_flight.Remove(*packet_id);
    Finish(operation, std::move(status));
    return true;
  }
  operation.on_wire = true;
  ++on_wire_;
  in_flight_bytes_ += bytes;
  if (operation.id != 0) places_[operation.id].packet_id = *packet_id;
  *work_.in_flight.Find(*packet_id) = std::move(operation);
  return true;
}

void Publisher::Repeat(PacketId packet_id) {
  Pending* pending = work_.in_flight.Find(packet_id);
  auto* operation = pending == nullptr ? nullptr : std::get_if<PublishOperation>(pending);
  if (operation == nullptr) return;  // Acknowledged meanwhile.
  if (absl::Status status = Encode(*operation, packet_id, true); !status.ok()) {
    // The broker takes less than it did. Nothing else can end this flow.
    in_flight_bytes_ -= operation->bytes();
    Finish(*operation, std::move(status));
    work_.in_flight.Remove(packet_id);
    return;
  }
  operation->on_wire = true;
  ++on_wire_;
}

bool Publisher::OnPubAck(const PubAck& ack) {
  Pending* pending = work_.in_flight.Find(ack.packet_id);
  if (pending == nullptr) return true;  // Nothing waits for it any more; no harm done.
  auto* operation = std::get_if<PublishOperation>(pending);
  if (operation == nullptr) return false;
  in_flight_bytes_ -= operation->bytes();
  if (operation->on_wire) --on_wire_;
  if (IsError(ack.reason_code)) {
    const std::string_view reason = ack.properties.Get(property::kReasonString).value_or("");
    Finish(*operation, StatusFrom(ack.reason_code, absl::StrCat("publish to ", operation->message.topic_name,
                                                                reason.empty() ? "" : ": ", ToAbsl(reason))));
  } else {
    Finish(*operation, ack.reason_code);
  }
  work_.in_flight.Remove(ack.packet_id);  // MQTT-4.4.0-2
  return true;
}

void Publisher::OnTaken() {
  // Writes come one at a time, so being_written_ is empty.
  being_written_.swap(in_buffer_);
}

void Publisher::OnWritten() {
  for (Unwritten& each : being_written_) work_.Finish(each.done, ReasonCode::kSuccess);
  being_written_.clear();
}

void Publisher::OnConnectionLost() {
  for (auto* unwritten : {&being_written_, &in_buffer_}) {
    for (Unwritten& each : *unwritten) {
      work_.Finish(each.done, absl::UnavailableError("connection lost while a QoS 0 message was being sent"));
    }
    unwritten->clear();
  }
  work_.in_flight.ForEach([](PacketId, Pending& pending) {
    if (auto* operation = std::get_if<PublishOperation>(&pending)) operation->on_wire = false;
  });
  on_wire_ = 0;
  to_repeat_.clear();
}

void Publisher::OnSession(bool session_present) {
  std::vector<PacketId> unacknowledged;
  work_.in_flight.ForEach([&](PacketId packet_id, Pending& pending) {
    if (std::holds_alternative<PublishOperation>(pending)) unacknowledged.push_back(packet_id);
  });
  if (session_present) {
    to_repeat_.assign(unacknowledged.begin(), unacknowledged.end());
    return;
  }
  // MQTT-3.2.2-5: that state is void. In front of the queue, in the old order.
  Queue again;
  for (const PacketId packet_id : unacknowledged) {
    PublishOperation operation = std::get<PublishOperation>(std::move(*work_.in_flight.Remove(packet_id)));
    if (!operation.done) continue;  // Cancelled.
    queued_bytes_ += operation.bytes();
    again.push_back(std::move(operation));
    if (again.back().id != 0) places_[again.back().id] = Place{std::prev(again.end()), 0};
  }
  in_flight_bytes_ = 0;
  queue_.splice(queue_.begin(), again);
}

bool Publisher::Cancel(OperationId id) {
  const absl::Status why = absl::CancelledError("publish cancelled");
  if (const auto found = places_.find(id); found != places_.end()) {
    const Place place = found->second;
    if (place.packet_id != 0) {
      // The id stays in use until its PUBACK, wherever that is.
      Finish(std::get<PublishOperation>(*work_.in_flight.Find(place.packet_id)), why);
    } else {
      queued_bytes_ -= place.queued->bytes();
      Finish(*place.queued, why);
      queue_.erase(place.queued);
    }
    return true;
  }
  for (auto* unwritten : {&being_written_, &in_buffer_}) {
    for (Unwritten& each : *unwritten) {
      if (each.id != id) continue;
      work_.Finish(each.done, why);
      return true;
    }
  }
  return false;
}

void Publisher::CancelAll(const absl::Status& why) {
  work_.in_flight.ForEach([&](PacketId, Pending& pending) {
    if (auto* operation = std::get_if<PublishOperation>(&pending)) Finish(*operation, why);
  });
  for (PublishOperation& operation : queue_) Finish(operation, why);
  queue_.clear();
  queued_bytes_ = 0;
}

void Publisher::Finish(PublishOperation& operation, CodeResult result) {
  if (operation.id != 0) places_.erase(operation.id);
  work_.Finish(operation.done, std::move(result));
}

}  // namespace mqttrpc::mqtt
