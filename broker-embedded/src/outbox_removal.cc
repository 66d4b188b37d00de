// What leaves an Outbox otherwise than by being sent and acknowledged.
#include <utility>

#include "outbox.h"

namespace mqttrpc::broker {

using mqtt::PacketId;
using mqtt::QoS;

// Takes out those that wait and that `keeps`, called in order, does not want.
template <typename Keeps>
void Outbox::Filter(Keeps&& keeps) {
  for (Deliveries* queue : {&traffic_->held, &traffic_->open}) {
    for (std::size_t left = queue->size(); left > 0; --left) {
      Delivery delivery = queue->pop();
      const bool kept = keeps(delivery);
      if (!kept) Release(delivery);
      if (kept) queue->push(std::move(delivery));
    }
  }
}

void Outbox::Detach() {
  attached_ = false;
  if (traffic_ == nullptr) return;
  traffic_->on_wire = 0;
  traffic_->bytes_under_way = 0;
  traffic_->resend.clear();
  const std::size_t before = waiting_messages();
  Filter([](const Delivery& delivery) { return delivery.qos != QoS::kAtMostOnce; });
  host_.counters.Dropped(DropReason::kDisconnected).Add(before - waiting_messages());
  Settle();
}

void Outbox::Trim(std::size_t most) {
  if (traffic().bytes + traffic().FlowBytes() <= most) return;
  std::size_t kept = 0;
  bool full = false;
  const auto keeps = [&](std::size_t bytes) {
    full = full || kept + bytes > most;
    if (!full) kept += bytes;
    return !full;
  };
  const std::size_t before = waiting_messages() + in_flight();
  std::vector<PacketId> ended;
  traffic_->in_flight.ForEach([&](PacketId packet_id, Sent& sent) {
    if (!keeps(kCostOfFlow + (sent.delivery.message ? SizeOf(sent.delivery) : 0))) ended.push_back(packet_id);
  });
  for (const PacketId packet_id : ended) End(packet_id);
  Filter([&](const Delivery& delivery) { return keeps(SizeOf(delivery)); });
  host_.counters.Dropped(DropReason::kMemory).Add(before - waiting_messages() - in_flight());
  Settle();
}

void Outbox::Clear(DropReason reason) {
  if (traffic_ == nullptr) return;
  const std::size_t dropped = waiting_messages();
  Filter([](const Delivery&) { return false; });
  std::vector<PacketId> ids;
  // What was sent may have arrived: it counts as sent.
  traffic_->in_flight.ForEach([&](PacketId packet_id, Sent&) { ids.push_back(packet_id); });
  for (const PacketId packet_id : ids) End(packet_id);
  traffic_->resend.clear();
  traffic_->bytes_under_way = 0;
  if (dropped > 0) host_.counters.Dropped(reason).Add(dropped);
  Settle();
}

std::vector<Delivery> Outbox::TakeShared() {
  std::vector<Delivery> taken;
  if (traffic().shared == 0) return taken;
  std::vector<PacketId> ids;
  traffic_->in_flight.ForEach([&](PacketId packet_id, Sent& sent) {
    if (sent.delivery.group == 0 || sent.await != Sent::Await::kPubAck) return;
    taken.push_back(sent.delivery);
    ids.push_back(packet_id);
  });
  for (const PacketId packet_id : ids) End(packet_id);
  Filter([&](const Delivery& delivery) {
    if (delivery.group != 0) taken.push_back(delivery);
    return delivery.group == 0;
  });
  Settle();
  return taken;
}

}  // namespace mqttrpc::broker
