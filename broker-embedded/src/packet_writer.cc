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

constexpr std::size_t kKeptPieces = 4;

// A capacity that std::string has without allocating.
const std::size_t kNoCapacity = mqtt::WireBuffer().capacity();

}  // namespace

PacketWriter::PacketWriter(MemoryBudget& budget, BufferPool& buffers, Counters& counters)
    : budget_(budget), buffers_(buffers), counters_(counters), aliases_(budget) {}

PacketWriter::~PacketWriter() { budget_.Give(own_.size() + writing_.size()); }

void PacketWriter::SetPeer(const PeerLimits& peer) {
  peer_ = peer;
  aliases_.set_maximum(peer.topic_alias_maximum);
}

mqtt::WireBuffer& PacketWriter::Own() {
  if (own_.empty() && own_.capacity() == kNoCapacity) own_ = buffers_.Take();
  return own_;
}

absl::Status PacketWriter::Append(const mqtt::Packet& packet) {
  mqtt::WireBuffer& out = Own();
  const std::size_t before = out.size();
  absl::Status status = mqtt::EncodePacket(packet, mqtt::Sender::kServer, out, peer_.version);
  if (!status.ok()) return status;
  const std::size_t bytes = out.size() - before;
  if (bytes > peer_.maximum_packet_size) {  // MQTT-3.1.2-24
    out.resize(before);
    return absl::ResourceExhaustedError(
        absl::StrCat("packet is ", bytes, " bytes; client takes ", peer_.maximum_packet_size));
  }
  budget_.Take(bytes);
  return absl::OkStatus();
}

void PacketWriter::AppendPubAck(mqtt::PacketId packet_id, mqtt::ReasonCode reason_code) {
  mqtt::WireBuffer& out = Own();
  const std::size_t before = out.size();
  mqtt::EncodePubAck(packet_id, reason_code, out, peer_.version);
  budget_.Take(out.size() - before);
  ++unsent_pub_acks_;
}

// Appends the packet to writing_; returns the end of it that stays where it is.
std::string_view PacketWriter::Encode(const Outbox::Outgoing& next, mqtt::TimePoint now) {
  if (!next.delivery.message) {
    mqtt::PubRel release;
    release.packet_id = next.packet_id;
    // Cannot fail: no strings, no properties.
    (void)mqtt::EncodePacket(release, mqtt::Sender::kServer, writing_, peer_.version);
    return {};
  }
  PublishHead head;
  head.version = peer_.version;
  head.packet_id = next.packet_id;
  head.dup = next.dup;
  // An alias may make the packet longer: not over what the client takes.
  if (peer_.topic_alias_maximum != 0 &&
      PacketBytes(next.delivery, peer_.version) + kTopicAliasBytes + 2 <= peer_.maximum_packet_size) {
    const AliasTable::Choice choice = aliases_.For(next.delivery.message->topic_name());
    head.topic_alias = choice.alias;
    head.topic_name_left_out = choice.known;
  }
  sent_request_ = sent_request_ || next.delivery.message->is_request();
  counters_.messages_sent.Add();
  return AppendPublish(next.delivery, head, now, writing_);
}

void PacketWriter::EncodeMessages(Outbox& outbox, mqtt::TimePoint now) {
  Outbox::Outgoing next;
  std::size_t referenced = 0;
  while (writing_.size() + referenced < kBytesPerWrite && references_.size() < kReferencesPerWrite &&
         outbox.Next(now, next)) {
    const std::string_view rest = Encode(next, now);
    if (rest.empty()) continue;
    referenced += rest.size();
    references_.push_back(Reference{writing_.size(), rest, std::move(next.delivery.message)});
  }
  counters_.bytes_sent.Add(writing_.size() + referenced);
}

void PacketWriter::Collect(Outbox* outbox, mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather) {
  gather.clear();
  if (writing_active_) return;
  if (rest_.empty()) BeginWrite(outbox, now);
  std::size_t room = kBytesPerWrite;
  while (!rest_.empty() && room > 0) {
    std::span<const std::byte>& next = rest_.back();
    const std::size_t size = std::min(next.size(), room);
    gather.push_back(next.first(size));
    room -= size;
    next = next.subspan(size);
    if (next.empty()) rest_.pop_back();
  }
  writing_active_ = !gather.empty();
  writing_since_ = now;
}

void PacketWriter::BeginWrite(Outbox* outbox, mqtt::TimePoint now) {
  const bool messages = outbox != nullptr && outbox->has_work();
  if (own_.empty() && !messages) return;
  writing_ = std::exchange(Own(), mqtt::WireBuffer());
  unsent_pub_acks_ = 0;
  const std::size_t charged = writing_.size();
  if (messages) {
    EncodeMessages(*outbox, now);
  } else {
    counters_.bytes_sent.Add(charged);
  }
  budget_.Take(writing_.size() - charged);

  std::size_t from = 0;
  const auto add = [this](std::string_view piece) {
    if (!piece.empty()) rest_.push_back(mqtt::AsBytes(piece));
  };
  for (const Reference& reference : references_) {
    add(std::string_view(writing_).substr(from, reference.after - from));
    add(reference.bytes);
    from = reference.after;
  }
  add(std::string_view(writing_).substr(from));
  std::reverse(rest_.begin(), rest_.end());
  if (rest_.empty()) buffers_.Give(std::exchange(writing_, {}));
}

bool PacketWriter::Written() {
  writing_active_ = false;
  if (!rest_.empty()) return false;
  budget_.Give(writing_.size());
  buffers_.Give(std::exchange(writing_, {}));
  // An idle connection owns no buffer. (`= {}` would keep the memory.)
  references_ = std::vector<Reference>();
  if (rest_.capacity() > kKeptPieces) rest_ = std::vector<std::span<const std::byte>>();
  return true;
}

}  // namespace mqttrpc::broker
