// What is written to one connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "alias_table.h"
#include "buffer_pool.h"
#include "counters.h"
#include "memory_budget.h"
#include "mqttrpc/mqtt/clock.h"
#include "outbox.h"
#include "packets.h"
#include "shared_message.h"

namespace mqttrpc::broker {

// Packets of our own (acknowledgements and the like) go out first, in order; then
// the messages of the session's Outbox, as many as one write takes.
class PacketWriter {
 public:
  PacketWriter(MemoryBudget& budget, BufferPool& buffers, Counters& counters);
  ~PacketWriter();
  PacketWriter(const PacketWriter&) = delete;
  PacketWriter& operator=(const PacketWriter&) = delete;

  // From CONNECT. Until then a packet may have 268,435,460 bytes.
  void SetPeer(const PeerLimits& peer);

  // Appends a packet of our own. kResourceExhausted if it is over the client's
  // Maximum Packet Size (MQTT-3.1.2-24); else as EncodePacket. On an error nothing
  // is appended.
  absl::Status Append(const mqtt::Packet& packet);
  void AppendPubAck(mqtt::PacketId packet_id, mqtt::ReasonCode reason_code);

  // Puts what is to be written next into `gather`, about 256 KiB at most; leaves it
  // empty if there is nothing or a write is under way. The bytes stay until Written().
  // `outbox` may be null: then there are only packets of our own.
  void Collect(Outbox* outbox, mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather);
  // Whether that was all of what had been begun: a large message takes several writes.
  bool Written();

  bool writing() const { return writing_active_; }
  mqtt::TimePoint writing_since() const { return writing_since_; }                 // Only if writing().
  bool idle() const { return !writing_active_ && rest_.empty() && own_.empty(); }  // Messages may still wait.
  std::size_t own_bytes() const { return own_.size(); }                            // That wait.

  // PUBACKs that the client cannot have seen yet.
  std::size_t unsent_pub_acks() const { return unsent_pub_acks_; }
  // Whether a message with a Response Topic was ever among what was written.
  bool sent_request() const { return sent_request_; }

 private:
  // The end of a PUBLISH that stays in its shared message.
  struct Reference {
    std::size_t after = 0;  // Offset in writing_ that it follows.
    std::string_view bytes;
    MessageRef message;
  };

  void BeginWrite(Outbox* outbox, mqtt::TimePoint now);
  void EncodeMessages(Outbox& outbox, mqtt::TimePoint now);
  std::string_view Encode(const Outbox::Outgoing& next, mqtt::TimePoint now);
  mqtt::WireBuffer& Own();

  MemoryBudget& budget_;
  BufferPool& buffers_;
  Counters& counters_;
  PeerLimits peer_;
  AliasTable aliases_;

  mqtt::WireBuffer own_;  // Our own packets, encoded.

  mqtt::WireBuffer writing_;  // The write under way.
  std::vector<Reference> references_;
  std::vector<std::span<const std::byte>> rest_;  // Of it, not yet handed out; the last comes first.
  bool writing_active_ = false;
  bool sent_request_ = false;
  mqtt::TimePoint writing_since_{};

  std::size_t unsent_pub_acks_ = 0;
};

}  // namespace mqttrpc::broker
