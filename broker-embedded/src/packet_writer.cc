#include "packet_writer.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::broker {
namespace {

// One write: about this many bytes, and at most so many pieces as one system
// call takes (Asio cuts the list after 64).
constexpr std::size_t kBytesPerWrite = 256 * 1024;
constexpr std::size_t kReferencesPerWrite = 31;

// What a buffer may keep for the next write, in bytes.
constexpr std::size_t kRoomyBuffer = 64 * 1024;
constexpr std::size_t kSmallBuffer = 256;

constexpr std::size_t kKeptPieces = 4;

// A string and a vector keep their memory when they are cleared or assigned to.
void Drop(mqtt::WireBuffer& buffer) { mqtt::WireBuffer().swap(buffer); }
template <typename T>
void Drop(std::vector<T>& list) {
  std::vector<T>().swap(list);
}

}  // namespace

void PacketWriter::Work::Rest(bool roomy) {
  for (mqtt::WireBuffer* buffer : {&own, &behind, &writing}) {
    if (buffer->capacity() > (roomy ? kRoomyBuffer : kSmallBuffer)) Drop(*buffer);
  }
  if (roomy) return;
  Drop(references);
  if (rest.capacity() > kKeptPieces) Drop(rest);
}

PacketWriter::~PacketWriter() { host_.budget.Give(work().own_bytes() + work().writing.size()); }

PacketWriter::Work& PacketWriter::Busy() {
  if (work_ == nullptr) work_ = host_.pool.Take();
  return *work_;
}

// Lets work_ go when there is none: behind everything that may have ended the last.
void PacketWriter::Settle() {
  if (work_ != nullptr && work_->idle()) host_.pool.Give(std::move(work_));
}

AliasTable& PacketWriter::Aliases() {
  if (aliases_ == nullptr) aliases_ = std::make_unique<AliasTable>(host_.budget, peer_.topic_alias_maximum);
  return *aliases_;
}

absl::Status PacketWriter::AppendTo(mqtt::WireBuffer& out, const mqtt::Packet& packet) {
  const std::size_t before = out.size();
  absl::Status status = mqtt::EncodePacket(packet, mqtt::Sender::kServer, out, peer_.version);
  const std::size_t bytes = out.size() - before;
  if (status.ok() && bytes > peer_.maximum_packet_size) {  // MQTT-3.1.2-24
    out.resize(before);
    status = absl::ResourceExhaustedError(
        absl::StrCat("packet is ", bytes, " bytes; client takes ", peer_.maximum_packet_size));
  }
  if (status.ok()) {
    host_.budget.Take(bytes);
  } else {
    Settle();
  }
  return status;
}

void PacketWriter::AppendPubAck(mqtt::PacketId packet_id, mqtt::ReasonCode reason_code) {
  mqtt::WireBuffer& out = Own();
  const std::size_t before = out.size();
  mqtt::EncodePubAck(packet_id, reason_code, out, peer_.version);
  host_.budget.Take(out.size() - before);
  ++work_->unsent_pub_acks;
}

// Appends the packet to the write; returns the end of it that stays where it is.
std::string_view PacketWriter::Encode(const Outbox::Outgoing& next, mqtt::TimePoint now) {
  if (!next.delivery.message) {
    mqtt::PubRel release;
    release.packet_id = next.packet_id;
    // Cannot fail: no strings, no properties.
    (void)mqtt::EncodePacket(release, mqtt::Sender::kServer, work_->writing, peer_.version);
    return {};
  }
  PublishHead head;
  head.version = peer_.version;
  head.packet_id = next.packet_id;
  head.dup = next.dup;
  // An alias may make the packet longer: not over what the client takes.
  if (peer_.topic_alias_maximum != 0 &&  // MQTT-3.1.2-27
      PacketBytes(next.delivery, peer_.version) + kTopicAliasBytes + 2 <= peer_.maximum_packet_size) {
    const AliasTable::Choice choice = Aliases().For(next.delivery.message->topic_name());
    head.topic_alias = choice.alias;
    head.topic_name_left_out = choice.known;
  }
  sent_request_ = sent_request_ || next.delivery.message->is_request();
  host_.counters.messages_sent.Add();
  return AppendPublish(next.delivery, head, now, work_->writing);
}

// Appends messages to the write. Returns the bytes of them that stay where they are.
std::size_t PacketWriter::EncodeMessages(Outbox& outbox, mqtt::TimePoint now) {
  Outbox::Outgoing next;
  std::size_t referenced = 0;
  while (work_->writing.size() + referenced < kBytesPerWrite && work_->references.size() < kReferencesPerWrite &&
         outbox.Next(now, next)) {
    const std::string_view rest = Encode(next, now);
    if (rest.empty()) continue;
    referenced += rest.size();
    work_->references.push_back(Reference{work_->writing.size(), rest, std::move(next.delivery.message)});
  }
  return referenced;
}

void PacketWriter::Collect(Outbox* outbox, mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather) {
  gather.clear();
  if (writing()) return;
  if (work().rest.empty()) BeginWrite(outbox, now);
  if (work_ == nullptr) return;
  std::size_t room = kBytesPerWrite;
  auto& rest = work_->rest;
  while (!rest.empty() && room > 0) {
    std::span<const std::byte>& next = rest.back();
    const std::size_t size = std::min(next.size(), room);
    gather.push_back(next.first(size));
    room -= size;
    next = next.subspan(size);
    if (next.empty()) rest.pop_back();
  }
  work_->active = !gather.empty();
  work_->since = now;
}

void PacketWriter::BeginWrite(Outbox* outbox, mqtt::TimePoint now) {
  const bool messages = outbox != nullptr && outbox->has_work();
  if (work().own_bytes() == 0 && !messages) return;
  Work& work = Busy();
  const std::size_t charged = work.own_bytes();
  work.writing.swap(work.own);
  work.unsent_pub_acks = 0;
  const std::size_t referenced = messages ? EncodeMessages(*outbox, now) : 0;
  work.writing += work.behind;
  work.behind.clear();
  host_.counters.bytes_sent.Add(work.writing.size() + referenced);
  host_.budget.Take(work.writing.size() - charged);

  std::size_t from = 0;
  const auto add = [&work](std::string_view piece) {
    if (!piece.empty()) work.rest.push_back(mqtt::AsBytes(piece));
  };
  for (const Reference& reference : work.references) {
    add(std::string_view(work.writing).substr(from, reference.after - from));
    add(reference.bytes);
    from = reference.after;
  }
  add(std::string_view(work.writing).substr(from));
  std::reverse(work.rest.begin(), work.rest.end());
  Settle();
}

bool PacketWriter::Written() {
  work_->active = false;
  if (!work_->rest.empty()) return false;
  host_.budget.Give(work_->writing.size());
  work_->writing.clear();
  work_->references.clear();
  if (work_->writing.capacity() > kRoomyBuffer) Drop(work_->writing);
  Settle();
  return true;
}

}  // namespace mqttrpc::broker
