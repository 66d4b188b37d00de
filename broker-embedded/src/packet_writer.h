// What is written to one connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "alias_table.h"
#include "counters.h"
#include "memory_budget.h"
#include "mqttrpc/mqtt/clock.h"
#include "outbox.h"
#include "packets.h"
#include "pool.h"
#include "shared_message.h"

namespace mqttrpc::broker {

// Packets of our own (acknowledgements and the like) go out first, in order; then
// the messages of the session's Outbox, as many as one write takes; then packets of our own
// that should not overtake them. Between writes it is a few words.
class PacketWriter {
 public:
  struct Host;  // What the writers of one shard have in common.

  explicit PacketWriter(Host& host) : host_(host) {}  // `host` outlives it.
  ~PacketWriter();
  PacketWriter(const PacketWriter&) = delete;
  PacketWriter& operator=(const PacketWriter&) = delete;

  // From CONNECT. Until then a packet may have 268,435,460 bytes.
  void SetPeer(const PeerLimits& peer) { peer_ = peer; }

  // Appends a packet of our own. kResourceExhausted if it is over the client's
  // Maximum Packet Size (MQTT-3.1.2-24); else as EncodePacket. On an error nothing
  // is appended.
  absl::Status Append(const mqtt::Packet& packet) { return AppendTo(Own(), packet); }
  // The same, behind the messages of the next write; what is appended later follows it.
  absl::Status AppendBehindMessages(const mqtt::Packet& packet) { return AppendTo(Busy().behind, packet); }
  void AppendPubAck(mqtt::PacketId packet_id, mqtt::ReasonCode reason_code);

  // Puts what is to be written next into `gather`, about 256 KiB at most; leaves it
  // empty if there is nothing or a write is under way. The bytes stay until Written().
  // `outbox` may be null: then there are only packets of our own.
  void Collect(Outbox* outbox, mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather);
  // Whether that was all of what had been begun: a large message takes several writes.
  bool Written();

  bool writing() const { return work().active; }
  mqtt::TimePoint writing_since() const { return work().since; }  // Only if writing().
  bool idle() const { return work().idle(); }                     // Messages may still wait.
  std::size_t own_bytes() const { return work().own_bytes(); }    // That wait.

  // PUBACKs that the client cannot have seen yet.
  std::size_t unsent_pub_acks() const { return work().unsent_pub_acks; }
  // Whether a message with a Response Topic was ever among what was written.
  bool sent_request() const { return sent_request_; }

 private:
  // The end of a PUBLISH that stays in its shared message.
  struct Reference {
    std::size_t after = 0;  // Offset in writing_ that it follows.
    std::string_view bytes;
    MessageRef message;
  };

  // What there is to write, while there is something.
  struct Work {
    bool idle() const { return !active && rest.empty() && own.empty() && behind.empty(); }
    std::size_t own_bytes() const { return own.size() + behind.size(); }
    void Rest(bool roomy);  // See Pool.

    mqtt::WireBuffer own;      // Our own packets, encoded.
    mqtt::WireBuffer behind;   // So, but they follow the messages. If any do, all that come later.
    mqtt::WireBuffer writing;  // The write under way.
    std::vector<Reference> references;
    std::vector<std::span<const std::byte>> rest;  // Of it, not yet handed out; the last comes first.
    bool active = false;
    mqtt::TimePoint since{};  // When it became so.
    std::size_t unsent_pub_acks = 0;
  };

  const Work& work() const;
  Work& Busy();
  mqtt::WireBuffer& Own() { return Busy().behind.empty() ? work_->own : work_->behind; }
  void Settle();
  absl::Status AppendTo(mqtt::WireBuffer& out, const mqtt::Packet& packet);
  void BeginWrite(Outbox* outbox, mqtt::TimePoint now);
  std::size_t EncodeMessages(Outbox& outbox, mqtt::TimePoint now);
  std::string_view Encode(const Outbox::Outgoing& next, mqtt::TimePoint now);
  AliasTable& Aliases();

  Host& host_;
  std::unique_ptr<Work> work_;  // Null: there is nothing.
  std::unique_ptr<AliasTable> aliases_;
  PeerLimits peer_;
  bool sent_request_ = false;
};

struct PacketWriter::Host {
  Host(MemoryBudget& budget_in, Counters& counters_in) : budget(budget_in), counters(counters_in) {}

  MemoryBudget& budget;
  Counters& counters;
  const Work none;
  Pool<Work> pool;
};

inline const PacketWriter::Work& PacketWriter::work() const { return work_ != nullptr ? *work_ : host_.none; }

}  // namespace mqttrpc::broker
