// The half of Publisher that follows a message once it is sent.
#include <algorithm>
#include <iterator>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "publisher.h"

namespace mqttrpc::mqtt {
namespace {

absl::Status Refusal(const PublishOperation& operation, ReasonCode code, PropertiesView properties) {
  const std::string_view reason = properties.Get(property::kReasonString).value_or("");
  return StatusFrom(
      code, absl::StrCat("publish to ", operation.message.topic_name, reason.empty() ? "" : ": ", ToAbsl(reason)));
}

}  // namespace

absl::StatusOr<PublishOperation*> Publisher::Find(PacketId packet_id, QoS qos, std::string_view answer) {
  Pending* pending = work_.in_flight.Find(packet_id);
  if (pending == nullptr) return nullptr;
  auto* operation = As<PublishOperation>(pending);
  if (operation != nullptr && operation->message.qos == qos) return operation;
  return StatusFrom(ReasonCode::kProtocolError,
                    absl::StrCat(ToAbsl(answer), " for a packet that is no PUBLISH with QoS ", static_cast<int>(qos)));
}

absl::Status Publisher::OnPubAck(const PubAck& ack) {
  const absl::StatusOr<PublishOperation*> found = Find(ack.packet_id, QoS::kAtLeastOnce, "PUBACK");
  if (!found.ok()) return found.status();
  PublishOperation* operation = *found;
  if (operation == nullptr) return absl::OkStatus();  // Nothing waits for it any more; no harm done.
  if (!IsError(ack.reason_code)) {
    Ended(ack.packet_id, *operation, ack.reason_code);
    return absl::OkStatus();
  }
  ++work_.statistics.refused_by_broker;
  Ended(ack.packet_id, *operation, Refusal(*operation, ack.reason_code, ack.properties));
  return absl::OkStatus();
}

absl::Status Publisher::OnPubRec(const PubRec& ack) {
  const absl::StatusOr<PublishOperation*> found = Find(ack.packet_id, QoS::kExactlyOnce, "PUBREC");
  if (!found.ok()) return found.status();
  PublishOperation* operation = *found;
  if (operation == nullptr) {
    if (!IsError(ack.reason_code)) SendPubRel(ack.packet_id, ReasonCode::kPacketIdentifierNotFound);
    return absl::OkStatus();
  }
  if (IsError(ack.reason_code)) {
    ++work_.statistics.refused_by_broker;
    Ended(ack.packet_id, *operation, Refusal(*operation, ack.reason_code, ack.properties));
    return absl::OkStatus();
  }
  if (operation->released == 0) {
    operation->released = ++releases_;
    operation->received_code = ack.reason_code;
    in_flight_bytes_ -= operation->bytes();
    // MQTT-4.3.3-6: it is never sent again.
    operation->message = Message({}, {}, QoS::kExactlyOnce);
  }
  SendPubRel(ack.packet_id, ReasonCode::kSuccess);  // MQTT-4.3.3-4, MQTT-4.6.0-4
  work_.Sent(ack.packet_id, operation->sent_at);
  return absl::OkStatus();
}

absl::Status Publisher::OnPubComp(const PubComp& ack) {
  const absl::StatusOr<PublishOperation*> found = Find(ack.packet_id, QoS::kExactlyOnce, "PUBCOMP");
  if (!found.ok()) return found.status();
  PublishOperation* operation = *found;
  if (operation == nullptr) return absl::OkStatus();
  if (operation->released == 0) return StatusFrom(ReasonCode::kProtocolError, "PUBCOMP before PUBREC");
  // 0x92 too: the broker had taken the message over, and has forgotten it since.
  Ended(ack.packet_id, *operation, operation->received_code);
  return absl::OkStatus();
}

// The flow is over, and its id free (MQTT-4.4.0-2).
void Publisher::Ended(PacketId packet_id, PublishOperation& operation, CodeResult result) {
  if (operation.released == 0) in_flight_bytes_ -= operation.bytes();
  if (operation.on_wire) --on_wire_;
  Finish(operation, std::move(result));
  work_.in_flight.Remove(packet_id);
}

void Publisher::SendPubRel(PacketId packet_id, ReasonCode code) {
  PubRel pubrel;
  pubrel.packet_id = packet_id;
  pubrel.reason_code = code;
  // Cannot fail: a Packet Identifier and a code that PUBREL knows.
  (void)EncodePacket(Packet(pubrel), Sender::kClient, work_.out);
}

void Publisher::Repeat(PacketId packet_id) {
  PublishOperation& operation = *As<PublishOperation>(work_.in_flight.Find(packet_id));
  if (operation.released != 0) {  // MQTT-4.4.0-1, MQTT-4.3.3-5
    SendPubRel(packet_id, ReasonCode::kSuccess);
    return work_.Sent(packet_id, operation.sent_at);
  }
  // MQTT-3.3.1-1, MQTT-4.4.0-1
  if (absl::Status status = Encode(operation, packet_id, true); !status.ok()) {
    // The broker takes less than it did. Nothing else can end this flow.
    return Ended(packet_id, operation, std::move(status));
  }
  ++work_.statistics.messages_repeated;
  operation.on_wire = true;
  work_.Sent(packet_id, operation.sent_at);
  ++on_wire_;
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
    work_.statistics.dropped_offline += unwritten->size();
    for (Unwritten& each : *unwritten) {
      work_.Finish(each.done, absl::UnavailableError("connection lost while a QoS 0 message was being sent"));
    }
    unwritten->clear();
  }
  work_.in_flight.ForEach([](PacketId, Pending& pending) {
    if (auto* operation = As<PublishOperation>(&pending)) {
      operation->on_wire = false;
      operation->sent_at = kNever;
    }
  });
  on_wire_ = 0;
  to_repeat_.clear();
}

void Publisher::OnSession(bool session_present) {
  aliases_.Reset(std::min(work_.limits.topic_alias_maximum, options_.outgoing_topic_aliases));
  std::vector<PacketId> unacknowledged;
  work_.in_flight.ForEach([&](PacketId packet_id, Pending& pending) {
    if (As<PublishOperation>(&pending) != nullptr) unacknowledged.push_back(packet_id);
  });
  if (session_present) return RepeatInOrder(unacknowledged);
  // MQTT-3.2.2-5: that state is void. In front of the queue, in the old order.
  PublishNode again;
  for (const PacketId packet_id : unacknowledged) {
    PublishNode node = std::get<PublishNode>(std::move(*work_.in_flight.Remove(packet_id)));
    PublishOperation& operation = node.front();
    if (operation.released != 0) {  // The broker has it: as a new message it would arrive twice (MQTT-4.3.3-6).
      Finish(operation, operation.received_code);
      continue;
    }
    if (!operation.done) continue;  // Cancelled.
    queued_bytes_ += operation.bytes();
    operation.packet_id = 0;
    again.splice(again.end(), node);
  }
  in_flight_bytes_ = 0;
  queue_.splice(queue_.begin(), again);
}

// Everything in its first order, and PUBRELs in that of their PUBRECs: in the
// places of released messages come released messages (MQTT-4.6.0-1, MQTT-4.6.0-4).
void Publisher::RepeatInOrder(const std::vector<PacketId>& unacknowledged) {
  const auto released = [&](PacketId packet_id) {
    return As<PublishOperation>(work_.in_flight.Find(packet_id))->released;
  };
  std::vector<PacketId> releases;
  std::copy_if(unacknowledged.begin(), unacknowledged.end(), std::back_inserter(releases),
               [&](PacketId packet_id) { return released(packet_id) != 0; });
  std::sort(releases.begin(), releases.end(), [&](PacketId a, PacketId b) { return released(a) < released(b); });
  // A PUBLISH that must wait for the quota holds back no PUBREL (MQTT-3.3.4-8).
  auto next = releases.begin();
  std::vector<PacketId> waiting;
  std::size_t publishes = 0;
  for (const PacketId packet_id : unacknowledged) {
    if (released(packet_id) != 0) {
      to_repeat_.push_back(*next++);
    } else if (publishes++ < work_.limits.receive_maximum) {
      to_repeat_.push_back(packet_id);
    } else {
      waiting.push_back(packet_id);
    }
  }
  to_repeat_.insert(to_repeat_.end(), waiting.begin(), waiting.end());
}

bool Publisher::Cancel(OperationId id) {
  const absl::Status why = absl::CancelledError("publish cancelled");
  if (const auto found = cancellable_.find(id); found != cancellable_.end()) {
    const PublishNode::iterator operation = found->second;
    Finish(*operation, why);
    if (operation->packet_id == 0) {  // Else the identifier stays in use until its PUBACK, wherever that is.
      queued_bytes_ -= operation->bytes();
      queue_.erase(operation);
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
    if (auto* operation = As<PublishOperation>(&pending)) Finish(*operation, why);
  });
  for (PublishOperation& operation : queue_) Finish(operation, why);
  queue_.clear();
  queued_bytes_ = 0;
}

}  // namespace mqttrpc::mqtt
