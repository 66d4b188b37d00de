#include "out_queue.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::broker {
namespace {

// One write: about this many bytes, and at most so many pieces as one system
// call takes (Asio cuts the list after 64).
constexpr std::size_t kBytesPerWrite = 256 * 1024;
constexpr std::size_t kReferencesPerWrite = 31;

// What a waiting message costs besides the shared message itself.
std::size_t Charged(const Delivery& delivery) {
  return sizeof(Delivery) + delivery.identifiers.size() * sizeof(delivery.identifiers.front());
}

// A capacity that std::string has without allocating.
const std::size_t kNoCapacity = mqtt::WireBuffer().capacity();

}  // namespace

OutQueue::OutQueue(Limits limits, MemoryBudget& budget, BufferPool& buffers, Counters& counters)
    : limits_(limits), budget_(budget), buffers_(buffers), counters_(counters) {}

OutQueue::~OutQueue() {
  DropMessages();
  budget_.Give(own_.size() + writing_.size());
}

void OutQueue::SetPeerLimits(std::uint16_t receive_maximum, std::uint32_t maximum_packet_size) {
  receive_maximum_ = receive_maximum;
  maximum_packet_size_ = maximum_packet_size;
}

// One message always has: else those over the limit would never arrive.
bool OutQueue::HasRoomFor(std::size_t bytes) const {
  if (waiting_messages() >= limits_.messages) return false;
  return message_bytes_ + writing_bytes_ == 0 || waiting_bytes() + bytes <= limits_.bytes;
}

OutQueue::Outcome OutQueue::Push(Delivery delivery) {
  const std::size_t bytes = PacketBytes(delivery);
  if (bytes > maximum_packet_size_) return Outcome::kTooLarge;  // MQTT-3.1.2-24, MQTT-3.1.2-25
  if (!HasRoomFor(bytes) || budget_.exhausted()) return Outcome::kFull;
  message_bytes_ += bytes;
  budget_.Take(Charged(delivery));
  open_.push(std::move(delivery));
  return Outcome::kQueued;
}

OutQueue::Readiness OutQueue::ReadinessFor(const Delivery& delivery) const {
  const std::size_t bytes = PacketBytes(delivery);
  if (bytes > maximum_packet_size_ || !HasRoomFor(bytes)) return Readiness::kNever;
  if (delivery.qos == mqtt::QoS::kAtMostOnce) return Readiness::kNow;
  return unacknowledged_.size() + waiting_messages() < receive_maximum_ ? Readiness::kNow : Readiness::kLater;
}

mqtt::WireBuffer& OutQueue::Own() {
  if (own_.empty() && own_.capacity() == kNoCapacity) own_ = buffers_.Take();
  return own_;
}

absl::Status OutQueue::Append(const mqtt::Packet& packet) {
  mqtt::WireBuffer& out = Own();
  const std::size_t before = out.size();
  if (absl::Status status = mqtt::EncodePacket(packet, mqtt::Sender::kServer, out); !status.ok()) return status;
  const std::size_t bytes = out.size() - before;
  if (bytes > maximum_packet_size_) {  // MQTT-3.1.2-24
    out.resize(before);
    return absl::ResourceExhaustedError(
        absl::StrCat("packet is ", bytes, " bytes; client takes ", maximum_packet_size_));
  }
  budget_.Take(bytes);
  return absl::OkStatus();
}

void OutQueue::AppendPubAck(mqtt::PacketId packet_id, mqtt::ReasonCode reason_code) {
  mqtt::WireBuffer& out = Own();
  const std::size_t before = out.size();
  mqtt::EncodePubAck(packet_id, reason_code, out);
  budget_.Take(out.size() - before);
  ++unsent_pub_acks_;
}

void OutQueue::AppendRaw(std::string_view packet) {
  Own().append(packet);
  budget_.Take(packet.size());
}

void OutQueue::Forget(const Delivery& delivery) {
  message_bytes_ -= PacketBytes(delivery);
  budget_.Give(Charged(delivery));
}

void OutQueue::DropMessages() {
  for (Fifo<Delivery>* queue : {&held_, &open_}) {
    while (!queue->empty()) Forget(queue->pop());
  }
}

bool OutQueue::TakeNext(mqtt::TimePoint now, Delivery& next) {
  for (;;) {
    if (!held_.empty() && WindowOpen()) {
      next = held_.pop();
    } else if (open_.empty()) {
      return false;
    } else {
      next = open_.pop();
      if (next.qos != mqtt::QoS::kAtMostOnce && !WindowOpen()) {
        held_.push(std::move(next));  // MQTT-3.3.4-9; what follows goes on (MQTT-3.3.4-10).
        continue;
      }
    }
    Forget(next);
    if (!next.message->ExpiredAt(now)) return true;
    counters_.messages_dropped.Add();  // MQTT-3.3.2-5
  }
}

void OutQueue::EncodeMessages(mqtt::TimePoint now) {
  Delivery next;
  std::size_t referenced = 0;
  while (writing_.size() + referenced < kBytesPerWrite && references_.size() < kReferencesPerWrite &&
         TakeNext(now, next)) {
    mqtt::PacketId packet_id = 0;
    if (next.qos != mqtt::QoS::kAtMostOnce) packet_id = *unacknowledged_.Add(Nothing());  // The window is open.
    const std::string_view rest = AppendPublish(next, packet_id, now, writing_);
    counters_.messages_sent.Add();
    if (rest.empty()) continue;
    referenced += rest.size();
    references_.push_back(Reference{writing_.size(), rest, std::move(next.message)});
  }
  writing_bytes_ = writing_.size() + referenced;
}

void OutQueue::Collect(mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather) {
  gather.clear();
  if (writing_active_ || (own_.empty() && waiting_messages() == 0)) return;
  writing_ = std::exchange(Own(), mqtt::WireBuffer());
  unsent_pub_acks_ = 0;
  const std::size_t charged = writing_.size();
  EncodeMessages(now);
  budget_.Take(writing_.size() - charged);

  std::size_t from = 0;
  for (const Reference& reference : references_) {
    gather.push_back(mqtt::AsBytes(std::string_view(writing_).substr(from, reference.after - from)));
    gather.push_back(mqtt::AsBytes(reference.bytes));
    from = reference.after;
  }
  if (from < writing_.size()) gather.push_back(mqtt::AsBytes(std::string_view(writing_).substr(from)));
  writing_active_ = !gather.empty();
  writing_since_ = now;
  if (!writing_active_) buffers_.Give(std::exchange(writing_, {}));
}

void OutQueue::Written() {
  budget_.Give(writing_.size());
  buffers_.Give(std::exchange(writing_, {}));
  references_ = {};
  writing_bytes_ = 0;
  writing_active_ = false;
}

}  // namespace mqttrpc::broker
