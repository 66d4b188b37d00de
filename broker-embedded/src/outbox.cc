#include "outbox.h"

#include <utility>

namespace mqttrpc::broker {
namespace {

using mqtt::PacketId;
using mqtt::QoS;

// What a message costs here besides the shared message itself.
std::size_t Charged(const Delivery& delivery) {
  return sizeof(Delivery) + delivery.identifiers.size() * sizeof(delivery.identifiers.front());
}

// The same whatever version the client speaks next time.
std::size_t SizeOf(const Delivery& delivery) { return PacketBytes(delivery, mqtt::ProtocolVersion::k5); }

}  // namespace

Outbox::Outbox(const Limits& limits, MemoryBudget& budget, Counters& counters)
    : limits_(limits), budget_(budget), counters_(counters) {}

Outbox::~Outbox() { Clear(DropReason::kSessionEnded); }

void Outbox::Attach(const PeerLimits& peer) {
  attached_ = true;
  peer_ = peer;
  on_wire_ = 0;
  resend_.clear();
  in_flight_.ForEach([this](PacketId packet_id, Sent& sent) {
    sent.on_wire = false;
    resend_.push(packet_id);
  });
}

void Outbox::Detach() {
  attached_ = false;
  on_wire_ = 0;
  bytes_under_way_ = 0;
  resend_.clear();
  for (Fifo<Delivery>* queue : {&held_, &open_}) {
    Fifo<Delivery> kept;
    while (!queue->empty()) {
      Delivery delivery = queue->pop();
      if (delivery.qos != QoS::kAtMostOnce) {
        kept.push(std::move(delivery));
        continue;
      }
      Release(delivery);
      counters_.Dropped(DropReason::kDisconnected).Add();
    }
    *queue = std::move(kept);
  }
}

void Outbox::Trim(std::size_t most) {
  if (bytes_ + FlowBytes() <= most) return;
  std::size_t kept = 0;
  bool full = false;
  std::size_t dropped = 0;
  const auto keeps = [&](std::size_t bytes) {
    full = full || kept + bytes > most;
    if (!full) kept += bytes;
    return !full;
  };
  std::vector<PacketId> ended;
  in_flight_.ForEach([&](PacketId packet_id, Sent& sent) {
    if (!keeps(kCostOfFlow + (sent.delivery.message ? SizeOf(sent.delivery) : 0))) ended.push_back(packet_id);
  });
  dropped += ended.size();
  for (const PacketId packet_id : ended) End(packet_id);
  for (Fifo<Delivery>* queue : {&held_, &open_}) {
    Fifo<Delivery> rest;
    while (!queue->empty()) {
      Delivery delivery = queue->pop();
      if (keeps(SizeOf(delivery))) {
        rest.push(std::move(delivery));
        continue;
      }
      Release(delivery);
      ++dropped;
    }
    *queue = std::move(rest);
  }
  counters_.Dropped(DropReason::kMemory).Add(dropped);
}

bool Outbox::TooLarge(const Delivery& delivery) const {
  return attached_ && PacketBytes(delivery, peer_.version) > peer_.maximum_packet_size;
}

// One message always has: else those over the limit would never arrive.
bool Outbox::HasRoomFor(const Delivery& delivery) const {
  if (waiting_messages() >= limits_.messages) return false;
  const std::size_t held = bytes_ + bytes_under_way_;
  return held == 0 || held + SizeOf(delivery) <= limits_.bytes;
}

Outbox::Outcome Outbox::Refuse(Outcome outcome, DropReason reason) {
  counters_.Dropped(reason).Add();
  return outcome;
}

// There is for one message, while the others leave room for what lasts: nobody knows
// whether it will be taken.
bool Outbox::HasMemoryFor(const Delivery& delivery, bool stalled) const {
  if (budget_.exhausted()) return false;
  const bool idle = stalled || !attached_;
  if (!idle && bytes_ == 0 && budget_.HasRoomBelowMark(SizeOf(delivery))) return true;
  return bytes_ + FlowBytes() + SizeOf(delivery) <= (idle ? budget_.IdleShare() : budget_.ActiveShare());
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
  bytes_ += SizeOf(delivery);
  budget_.Take(Charged(delivery));
  if (delivery.group != 0) ++shared_;
  open_.push(std::move(delivery));
}

bool Outbox::HasWindowFor(std::size_t count) const {
  constexpr std::size_t kFewGaps = 64;
  if (budget_.lasting_full() && in_flight_.gaps() > kFewGaps) return false;
  return attached_ && on_wire_ + count <= peer_.receive_maximum && in_flight_.size() + count <= limits_.in_flight;
}

// Gives back what one message costs that leaves.
void Outbox::Release(const Delivery& delivery) {
  bytes_ -= SizeOf(delivery);
  budget_.Give(Charged(delivery));
  if (delivery.group != 0) --shared_;
}

// Identifiers that were ended between others take their place still.
void Outbox::ChargeFlows() {
  budget_.Take((in_flight_.places() - charged_flows_) * kCostOfFlow);  // Unsigned: may give back.
  charged_flows_ = in_flight_.places();
}

// From then on a flow of QoS 2 is an identifier only.
void Outbox::ReleaseMessage(Sent& sent) {
  if (!sent.delivery.message) return;
  Release(sent.delivery);
  sent.delivery = Delivery();
}

bool Outbox::NextResend(mqtt::TimePoint now, Outgoing& next) {
  while (!resend_.empty()) {
    const PacketId packet_id = resend_.front();
    Sent* sent = in_flight_.Find(packet_id);
    if (sent == nullptr) {
      resend_.pop();
      continue;
    }
    if (sent->await == Sent::Await::kPubComp) {
      resend_.pop();
      next.delivery = Delivery();
      next.packet_id = packet_id;
      return true;
    }
    if (TooLarge(sent->delivery)) {  // It takes less now than when it left.
      resend_.pop();
      counters_.Dropped(DropReason::kTooLarge).Add();
      End(packet_id);
      continue;
    }
    if (on_wire_ >= peer_.receive_maximum) return false;
    resend_.pop();
    if (on_wire_++ == 0) progress_at_ = now;
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
  const bool window_open = resend_.empty() && HasWindowFor(1);
  for (;;) {
    if (!held_.empty() && window_open) {
      next = held_.pop();
    } else if (open_.empty()) {
      return false;
    } else {
      next = open_.pop();
      if (next.qos != QoS::kAtMostOnce && !window_open) {
        held_.push(std::move(next));  // MQTT-3.3.4-9; what follows goes on (MQTT-3.3.4-10).
        continue;
      }
    }
    Release(next);
    const bool expired = next.message->ExpiredAt(now);
    if (!expired && !TooLarge(next)) return true;
    counters_.Dropped(expired ? DropReason::kExpired : DropReason::kTooLarge).Add();  // MQTT-3.3.2-5
  }
}

bool Outbox::Next(mqtt::TimePoint now, Outgoing& next) {
  next.dup = false;
  if (NextResend(now, next)) return true;
  if (!TakeWaiting(now, next.delivery)) return false;
  next.packet_id = 0;
  if (next.delivery.qos == QoS::kAtMostOnce) {
    bytes_under_way_ += SizeOf(next.delivery);
    return true;
  }
  // Kept until it is acknowledged.
  bytes_ += SizeOf(next.delivery);
  budget_.Take(Charged(next.delivery));
  if (next.delivery.group != 0) ++shared_;
  if (on_wire_++ == 0) progress_at_ = now;
  const auto await = next.delivery.qos == QoS::kAtLeastOnce ? Sent::Await::kPubAck : Sent::Await::kPubRec;
  next.packet_id = *in_flight_.Add(Sent(next.delivery, await));  // The window is open.
  ChargeFlows();
  return true;
}

void Outbox::End(PacketId packet_id) {
  std::optional<Sent> sent = in_flight_.Remove(packet_id);
  ReleaseMessage(*sent);
  ChargeFlows();
  if (sent->on_wire && on_wire_ > 0) --on_wire_;
}

Outbox::Known Outbox::OnPubAck(PacketId packet_id) {
  const Sent* sent = in_flight_.Find(packet_id);
  if (sent == nullptr) return Known::kNo;
  if (sent->await != Sent::Await::kPubAck) return Known::kMisplaced;
  End(packet_id);
  return Known::kYes;
}

Outbox::Known Outbox::OnPubRec(PacketId packet_id, bool error) {
  Sent* sent = in_flight_.Find(packet_id);
  if (sent == nullptr) return Known::kNo;
  if (sent->await == Sent::Await::kPubAck) return Known::kMisplaced;
  if (error) {
    End(packet_id);
    return Known::kYes;
  }
  if (sent->await == Sent::Await::kPubComp) return Known::kAgain;
  ReleaseMessage(*sent);  // MQTT-4.3.3-4: the message is the client's from here on.
  sent->await = Sent::Await::kPubComp;
  return Known::kYes;
}

Outbox::Known Outbox::OnPubComp(PacketId packet_id) {
  const Sent* sent = in_flight_.Find(packet_id);
  if (sent == nullptr) return Known::kNo;
  if (sent->await != Sent::Await::kPubComp) return Known::kMisplaced;
  End(packet_id);
  return Known::kYes;
}

void Outbox::Clear(DropReason reason) {
  std::size_t dropped = 0;
  for (Fifo<Delivery>* queue : {&held_, &open_}) {
    for (; !queue->empty(); ++dropped) Release(queue->pop());
  }
  std::vector<PacketId> ids;
  // What was sent may have arrived: it counts as sent.
  in_flight_.ForEach([&](PacketId packet_id, Sent&) { ids.push_back(packet_id); });
  for (const PacketId packet_id : ids) End(packet_id);
  resend_.clear();
  if (dropped > 0) counters_.Dropped(reason).Add(dropped);
}

std::vector<Delivery> Outbox::TakeShared() {
  std::vector<Delivery> taken;
  if (shared_ == 0) return taken;
  std::vector<PacketId> ids;
  in_flight_.ForEach([&](PacketId packet_id, Sent& sent) {
    if (sent.delivery.group == 0 || sent.await != Sent::Await::kPubAck) return;
    taken.push_back(sent.delivery);
    ids.push_back(packet_id);
  });
  for (const PacketId packet_id : ids) End(packet_id);
  for (Fifo<Delivery>* queue : {&held_, &open_}) {
    Fifo<Delivery> kept;
    while (!queue->empty()) {
      Delivery delivery = queue->pop();
      if (delivery.group == 0) {
        kept.push(std::move(delivery));
        continue;
      }
      Release(delivery);
      taken.push_back(std::move(delivery));
    }
    *queue = std::move(kept);
  }
  return taken;
}

}  // namespace mqttrpc::broker
