#include "acknowledger.h"

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {

absl::Status Acknowledger::TooMany() const {
  return StatusFrom(ReasonCode::kReceiveMaximumExceeded,
                    absl::StrCat("more than ", options_.receive_maximum, " messages without acknowledgement"));
}

absl::StatusOr<Acknowledger::Verdict> Acknowledger::OnPublish(const Publish& publish) {
  const auto found = kept_.find(publish.packet_id);
  if (found == kept_.end()) {
    if (!RoomFor(1)) return TooMany();  // MQTT-3.3.4-9
    return Verdict::kHandOver;
  }
  Kept& kept = found->second;
  const bool changed_qos = kept.qos != publish.qos;
  if (changed_qos && (kept.here || kept.stage == Kept::Stage::kReceived)) {
    return StatusFrom(ReasonCode::kPacketIdentifierInUse,
                      absl::StrCat("Packet Identifier ", publish.packet_id, " is in use with another QoS"));
  }
  const bool fresh = !kept.here && !publish.dup && kept.stage != Kept::Stage::kReceived;
  if (fresh || changed_qos || kept.stage == Kept::Stage::kDropped) {
    // The broker gave up the old message, or repeats one that was dropped.
    if (!kept.here && !RoomFor(1)) return TooMany();
    Uncount(kept);
    Erase(publish.packet_id);
    return Verdict::kHandOver;
  }
  ++work_.statistics.duplicates_received;
  std::deque<PacketId>& arrivals = ArrivalsOf(publish.qos);
  if ((!kept.here && !RoomFor(1)) || arrivals.size() >= options_.receive_maximum) return TooMany();
  Count(kept);
  arrivals.push_back(publish.packet_id);  // MQTT-4.3.3-10
  Flush(publish.qos);
  return Verdict::kKnown;
}

std::uint64_t Acknowledger::HandOver(const Publish& publish, std::size_t handles) {
  delivering_ = publish.packet_id;
  delivering_serial_ = 0;
  std::deque<PacketId>& arrivals = ArrivalsOf(publish.qos);
  if (publish.qos == QoS::kAtLeastOnce && handles == 0 && arrivals.empty()) {
    ++unacknowledged_;
    return 0;
  }
  Kept& kept = kept_[publish.packet_id];
  kept = Kept();
  kept.qos = publish.qos;
  kept.serial = delivering_serial_ = ++last_serial_;
  kept.waits_for = handles + 1;
  by_serial_[kept.serial] = publish.packet_id;
  Count(kept);
  arrivals.push_back(publish.packet_id);
  return kept.serial;
}

void Acknowledger::Delivered() {
  const PacketId packet_id = std::exchange(delivering_, PacketId{0});
  if (packet_id == 0) return;
  if (const std::uint64_t serial = std::exchange(delivering_serial_, 0); serial != 0) {
    return Settle(serial, Acknowledgement::Target::Answer::kAcknowledge, ReasonCode::kSuccess);
  }
  --unacknowledged_;
  ++answered_in_buffer_;
  EncodePubAck(packet_id, ReasonCode::kSuccess, work_.out);  // MQTT-4.3.2-4
}

void Acknowledger::Settle(std::uint64_t serial, Acknowledgement::Target::Answer answer, ReasonCode code) {
  const auto found = by_serial_.find(serial);
  if (found == by_serial_.end()) return;
  Kept& kept = kept_.find(found->second)->second;
  switch (answer) {
    case Acknowledgement::Target::Answer::kAcknowledge: break;
    case Acknowledgement::Target::Answer::kDrop: kept.dropped = true; break;
    case Acknowledgement::Target::Answer::kRefuse:
      if (!IsError(kept.code)) kept.code = code;
      break;
  }
  if (--kept.waits_for == 0) Answered(kept);
}

void Acknowledger::Answered(Kept& kept) {
  const PacketId packet_id = by_serial_.find(kept.serial)->second;
  by_serial_.erase(kept.serial);
  kept.serial = 0;
  if (!kept.dropped) {
    kept.stage = Kept::Stage::kAnswered;
    return Flush(kept.qos);
  }
  kept.stage = Kept::Stage::kDropped;
  if (!kept.here) Erase(packet_id);
}

void Acknowledger::Flush(QoS qos) {
  std::deque<PacketId>& arrivals = ArrivalsOf(qos);
  while (!arrivals.empty()) {
    const PacketId packet_id = arrivals.front();
    const auto found = kept_.find(packet_id);
    if (found != kept_.end()) {
      Kept& kept = found->second;
      if (kept.stage == Kept::Stage::kHanded || kept.stage == Kept::Stage::kDropped) return;
      Answer(packet_id, qos, kept.code);
      if (qos == QoS::kExactlyOnce && !IsError(kept.code)) {
        kept.stage = Kept::Stage::kReceived;
      } else {  // MQTT-4.3.2-5, MQTT-4.3.3-9: from here on it begins a new message.
        Uncount(kept);
        ++answered_in_buffer_;
        Erase(packet_id);
      }
    }
    arrivals.pop_front();
  }
}

void Acknowledger::Answer(PacketId packet_id, QoS qos, ReasonCode code) {
  if (qos == QoS::kAtLeastOnce) return EncodePubAck(packet_id, code, work_.out);
  PubRec pubrec;  // MQTT-4.3.3-8
  pubrec.packet_id = packet_id;
  pubrec.reason_code = code;
  // Cannot fail: the code was checked, and there are no properties.
  (void)EncodePacket(Packet(pubrec), Sender::kClient, work_.out);
}

absl::Status Acknowledger::OnPubRel(const PubRel& pubrel) {
  PubComp pubcomp;  // MQTT-4.3.3-11
  pubcomp.packet_id = pubrel.packet_id;
  const auto found = kept_.find(pubrel.packet_id);
  if (found == kept_.end()) {
    pubcomp.reason_code = ReasonCode::kPacketIdentifierNotFound;
  } else if (found->second.qos == QoS::kExactlyOnce && found->second.stage == Kept::Stage::kReceived) {
    if (found->second.here) ++answered_in_buffer_;
    Uncount(found->second);
    Erase(pubrel.packet_id);  // MQTT-4.3.3-12
  } else {
    return StatusFrom(ReasonCode::kProtocolError, "PUBREL before PUBREC");
  }
  return EncodePacket(Packet(pubcomp), Sender::kClient, work_.out);
}

void Acknowledger::Count(Kept& kept) {
  if (!std::exchange(kept.here, true)) ++unacknowledged_;
}

void Acknowledger::Uncount(Kept& kept) {
  if (std::exchange(kept.here, false)) --unacknowledged_;
}

void Acknowledger::Erase(PacketId packet_id) {
  const auto found = kept_.find(packet_id);
  if (found->second.serial != 0) by_serial_.erase(found->second.serial);
  kept_.erase(found);
}

void Acknowledger::OnConnectionLost() {
  for (std::deque<PacketId>& arrivals : arrivals_) arrivals.clear();
  unacknowledged_ = 0;
  answered_in_buffer_ = 0;
  if (delivering_serial_ == 0) delivering_ = 0;
  for (auto each = kept_.begin(); each != kept_.end();) {
    each->second.here = false;
    // To be handed over again when it is repeated.
    each = each->second.stage == Kept::Stage::kDropped ? kept_.erase(each) : std::next(each);
  }
}

void Acknowledger::OnSession(bool session_present) {
  if (session_present) return;
  ++session_;
  kept_.clear();
  by_serial_.clear();
}

}  // namespace mqttrpc::mqtt
