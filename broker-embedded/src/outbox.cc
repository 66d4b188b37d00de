#include "outbox.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace mqttrpc::broker {
namespace {

using mqtt::PacketId;
using mqtt::QoS;

// What a message costs here besides the shared message itself.
std::size_t Charged(const Delivery& delivery) {
  return sizeof(Delivery) + delivery.identifiers.size() * sizeof(delivery.identifiers.front());
}

// Room for so many is kept by those that may not keep much.
constexpr std::size_t kFewMessages = 8;

}  // namespace

bool Outbox::Traffic::idle() const {
  return open.empty() && held.empty() && in_flight.empty() && resend.empty() && bytes_under_way == 0;
}

void Outbox::Traffic::Rest(bool roomy) {
  const std::size_t kept = roomy ? std::numeric_limits<std::size_t>::max() : kFewMessages;
  open.Trim(kept);
  held.Trim(kept);
  resend.Trim(kept);
  in_flight.Trim(kept);
}

Outbox::~Outbox() { Clear(DropReason::kSessionEnded); }

Outbox::Traffic& Outbox::Busy() {
  if (traffic_ == nullptr) {
    traffic_ = host_.pool.Take();
    traffic_->in_flight.StartAt(next_packet_id_);
    host_.budget.Take(sizeof(Traffic));
  }
  return *traffic_;
}

// Lets traffic_ go when there is none: behind everything that may have ended the last.
void Outbox::Settle() {
  if (traffic_ == nullptr || !traffic_->idle()) return;
  next_packet_id_ = traffic_->in_flight.next();
  host_.pool.Give(std::move(traffic_));
  host_.budget.Give(sizeof(Traffic));
}

void Outbox::Attach(const PeerLimits& peer) {
  attached_ = true;
  peer_ = peer;
  if (traffic_ == nullptr) return;
  traffic_->on_wire = 0;
  traffic_->resend.clear();
  traffic_->in_flight.ForEach([this](PacketId packet_id, Sent& sent) {
    sent.on_wire = false;
    traffic_->resend.push(packet_id);
  });
}

bool Outbox::TooLarge(const Delivery& delivery) const {
  return attached_ && PacketBytes(delivery, peer_.version) > peer_.maximum_packet_size;
}

// One message always has: else those over the limit would never arrive.
bool Outbox::HasRoomFor(const Delivery& delivery) const {
  if (waiting_messages() >= host_.limits.messages) return false;
  const std::size_t held = traffic().bytes + traffic().bytes_under_way;
  return held == 0 || held + SizeOf(delivery) <= host_.limits.bytes;
}

Outbox::Outcome Outbox::Refuse(Outcome outcome, DropReason reason) {
  host_.counters.Dropped(reason).Add();
  return outcome;
}

// There is for one message, while the others leave room for what lasts: nobody knows
// whether it will be taken.
bool Outbox::HasMemoryFor(const Delivery& delivery, bool stalled) const {
  if (host_.budget.exhausted()) return false;
  const bool idle = stalled || !attached_;
  if (!idle && traffic().bytes == 0 && host_.budget.HasRoomBelowMark(SizeOf(delivery))) return true;
  return traffic().bytes + traffic().FlowBytes() + SizeOf(delivery) <=
         (idle ? host_.budget.IdleShare() : host_.budget.ActiveShare());
}

Outbox::Outcome Outbox::Push(Delivery delivery, bool stalled) {
  if (!attached_ && delivery.qos == QoS::kAtMostOnce) return Outcome::kNotKept;
  if (TooLarge(delivery)) return Refuse(Outcome::kTooLarge, DropReason::kTooLarge);
  if (!HasRoomFor(delivery)) return Refuse(Outcome::kFull, DropReason::kQueueFull);
  if (!HasMemoryFor(delivery, stalled)) return Refuse(Outcome::kFull, DropReason::kMemory);
  Queue(std::move(delivery));
  return Outcome::kQueued;
}

void Outbox::Queue(Delivery delivery) {
  Traffic& traffic = Busy();
  traffic.bytes += SizeOf(delivery);
  host_.budget.Take(Charged(delivery));
  if (delivery.group != 0) ++traffic.shared;
  traffic.open.push(std::move(delivery));
}

void Outbox::OnWritten() {
  if (traffic_ == nullptr) return;
  traffic_->bytes_under_way = 0;
  Settle();
}

void Outbox::OnProgress(mqtt::TimePoint now) {
  if (traffic_ != nullptr) traffic_->progress_at = now;
}

bool Outbox::HasWindowFor(std::size_t count) const {
  constexpr std::size_t kFewGaps = 64;
  if (host_.budget.lasting_full() && traffic().in_flight.gaps() > kFewGaps) return false;
  return attached_ && traffic().on_wire + count <= peer_.receive_maximum &&
         in_flight() + count <= host_.limits.in_flight;
}

Outbox::Room Outbox::room() const {
  const std::size_t waiting = waiting_messages();
  const Limits& limits = host_.limits;
  if (!HasWindowFor(waiting + 1) || waiting >= limits.messages) return {};
  const std::size_t held = traffic().bytes + traffic().bytes_under_way;
  if (held >= limits.bytes && held > 0) return {};
  return {std::min({peer_.receive_maximum - traffic().on_wire - waiting, limits.in_flight - in_flight() - waiting,
                    limits.messages - waiting}),
          held == 0 ? std::numeric_limits<std::size_t>::max() : limits.bytes - held};
}

// Gives back what one message costs that leaves.
void Outbox::Release(const Delivery& delivery) {
  traffic_->bytes -= SizeOf(delivery);
  host_.budget.Give(Charged(delivery));
  if (delivery.group != 0) --traffic_->shared;
}

// Identifiers that were ended between others take their place still.
void Outbox::ChargeFlows() {
  host_.budget.Take((traffic_->in_flight.places() - traffic_->charged_flows) *
                    kCostOfFlow);  // Unsigned: may give back.
  traffic_->charged_flows = traffic_->in_flight.places();
}

// From then on a flow of QoS 2 is an identifier only.
void Outbox::ReleaseMessage(Sent& sent) {
  if (!sent.delivery.message) return;
  Release(sent.delivery);
  sent.delivery = Delivery();
}

bool Outbox::NextResend(mqtt::TimePoint now, Outgoing& next) {
  while (!traffic_->resend.empty()) {
    const PacketId packet_id = traffic_->resend.front();
    Sent* sent = traffic_->in_flight.Find(packet_id);
    if (sent == nullptr) {
      traffic_->resend.pop();
      continue;
    }
    if (sent->await == Sent::Await::kPubComp) {
      traffic_->resend.pop();
      next.delivery = Delivery();
      next.packet_id = packet_id;
      return true;
    }
    if (TooLarge(sent->delivery)) {  // It takes less now than when it left.
      traffic_->resend.pop();
      host_.counters.Dropped(DropReason::kTooLarge).Add();
      End(packet_id);
      continue;
    }
    if (traffic_->on_wire >= peer_.receive_maximum) return false;
    traffic_->resend.pop();
    if (traffic_->on_wire++ == 0) traffic_->progress_at = now;
    sent->on_wire = true;
    next.delivery = sent->delivery;
    next.packet_id = packet_id;
    next.dup = true;  // MQTT-3.3.1-1
    return true;
  }
  return false;
}

// The next that waits, with its costs given back; not what expired meanwhile.
bool Outbox::TakeWaiting(mqtt::TimePoint now, Delivery& next) {
  // First everything of the connection before (MQTT-4.6.0-1).
  const bool window_open = traffic_->resend.empty() && HasWindowFor(1);
  for (;;) {
    if (!traffic_->held.empty() && window_open) {
      next = traffic_->held.pop();
    } else if (traffic_->open.empty()) {
      return false;
    } else {
      next = traffic_->open.pop();
      if (next.qos != QoS::kAtMostOnce && !window_open) {
        traffic_->held.push(std::move(next));  // MQTT-3.3.4-9; what follows goes on (MQTT-3.3.4-10).
        continue;
      }
    }
    Release(next);
    const bool expired = next.message->ExpiredAt(now);
    if (!expired && !TooLarge(next)) return true;
    host_.counters.Dropped(expired ? DropReason::kExpired : DropReason::kTooLarge).Add();  // MQTT-3.3.2-5
  }
}

bool Outbox::Next(mqtt::TimePoint now, Outgoing& next) {
  if (traffic_ == nullptr) return false;
  next.dup = false;
  if (NextResend(now, next)) return true;
  if (!TakeWaiting(now, next.delivery)) {
    Settle();
    return false;
  }
  next.packet_id = 0;
  if (next.delivery.qos == QoS::kAtMostOnce) {
    traffic_->bytes_under_way += SizeOf(next.delivery);
    return true;
  }
  // Kept until it is acknowledged.
  traffic_->bytes += SizeOf(next.delivery);
  host_.budget.Take(Charged(next.delivery));
  if (next.delivery.group != 0) ++traffic_->shared;
  if (traffic_->on_wire++ == 0) traffic_->progress_at = now;
  const auto await = next.delivery.qos == QoS::kAtLeastOnce ? Sent::Await::kPubAck : Sent::Await::kPubRec;
  next.packet_id = *traffic_->in_flight.Add(Sent(next.delivery, await));  // The window is open.
  ChargeFlows();
  return true;
}

Outbox::Sent* Outbox::Find(PacketId packet_id) {
  return traffic_ == nullptr ? nullptr : traffic_->in_flight.Find(packet_id);
}

void Outbox::End(PacketId packet_id) {
  std::optional<Sent> sent = traffic_->in_flight.Remove(packet_id);
  ReleaseMessage(*sent);
  ChargeFlows();
  if (sent->on_wire && traffic_->on_wire > 0) --traffic_->on_wire;
}

Outbox::Known Outbox::OnPubAck(PacketId packet_id) {
  const Sent* sent = Find(packet_id);
  if (sent == nullptr) return Known::kNo;
  if (sent->await != Sent::Await::kPubAck) return Known::kMisplaced;
  End(packet_id);
  Settle();
  return Known::kYes;
}

Outbox::Known Outbox::OnPubRec(PacketId packet_id, bool error) {
  Sent* sent = Find(packet_id);
  if (sent == nullptr) return Known::kNo;
  if (sent->await == Sent::Await::kPubAck) return Known::kMisplaced;
  if (error) {
    End(packet_id);
    Settle();
    return Known::kYes;
  }
  if (sent->await == Sent::Await::kPubComp) return Known::kAgain;
  ReleaseMessage(*sent);  // MQTT-4.3.3-4: the message is the client's from here on.
  sent->await = Sent::Await::kPubComp;
  return Known::kYes;
}

Outbox::Known Outbox::OnPubComp(PacketId packet_id) {
  const Sent* sent = Find(packet_id);
  if (sent == nullptr) return Known::kNo;
  if (sent->await != Sent::Await::kPubComp) return Known::kMisplaced;
  End(packet_id);
  Settle();
  return Known::kYes;
}

}  // namespace mqttrpc::broker
