// An Application Message inside the broker: copied once from the read buffer, or not at all
// if it is large, then shared by all it is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <absl/container/inlined_vector.h>

#include "block.h"
#include "memory_budget.h"
#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/properties.h"
#include "mqttrpc/mqtt/qos.h"
#include "packets.h"

namespace mqttrpc::broker {

class MessageRef;

// Topic Name, properties and payload, one behind the other, in one block of memory
// together with this header. Never changes.
//
// The count of references is not atomic: a message lives and dies on one
// shard's thread; another shard gets a copy (docs/decisions/0005-shards.md).
class SharedMessage {
 public:
  // Copies `publish`, whose Topic Alias was resolved to `topic_name`. Topic Alias
  // and Will Delay Interval are left out: they were for us. All other properties
  // stay as they are, in order (MQTT-3.3.2-4, -15 to -18, -20).
  static MessageRef Copy(MemoryBudget& budget, const mqtt::Publish& publish, std::string_view topic_name,
                         mqtt::TimePoint now);

  // The same without copying the payload: of `publish`, which stands in `block` behind
  // kRoomInFront bytes that are free. Its other fields move, so it is void afterwards.
  static MessageRef Adopt(MemoryBudget& budget, mqtt::Block block, const mqtt::Publish& publish,
                          std::string_view topic_name, mqtt::TimePoint now);
  // For this header, and for a Topic Name that was left out of the packet; a longer one costs a copy.
  static constexpr std::size_t kRoomInFront = 256;

  // Lets the Message Expiry count from `now`: for a will, which is published later
  // than it was written (3.1.3.2.4). Only while nobody shares it.
  static void RestartExpiry(const MessageRef& message, mqtt::TimePoint now);

  // For another shard: `message` itself if this is the only reference to it, else a copy,
  // charged to nobody. The other shard has it Charge()d to its budget before it shares it.
  static MessageRef ForShard(MessageRef message);
  static void Charge(const MessageRef& message, MemoryBudget& budget);
  std::size_t block_bytes() const { return block_bytes_; }  // What is charged.

  SharedMessage(const SharedMessage&) = delete;
  SharedMessage& operator=(const SharedMessage&) = delete;

  std::string_view topic_name() const { return {bytes(), topic_bytes_}; }
  std::string_view properties() const { return {bytes() + topic_bytes_, property_bytes_}; }
  std::string_view payload() const { return {bytes() + topic_bytes_ + property_bytes_, payload_bytes_}; }
  // Properties and payload.
  std::string_view tail() const { return {bytes() + topic_bytes_, property_bytes_ + payload_bytes_}; }
  mqtt::QoS qos() const { return qos_; }
  bool retain() const { return retain_; }       // As published (MQTT 3.3.1.3).
  bool is_request() const { return request_; }  // It has a Response Topic (4.10.1).

  bool is_unique() const { return references_ == 1; }  // Nobody else has it.

  // Whole seconds left of Message Expiry at `now`; at 0 the message is expired.
  // Only if has_expiry().
  std::uint32_t SecondsLeft(mqtt::TimePoint now) const;
  bool has_expiry() const { return expiry_offset_ != kNoExpiry; }
  bool ExpiredAt(mqtt::TimePoint now) const { return now >= expires_at(); }
  mqtt::TimePoint expires_at() const {  // kNever without an expiry.
    return has_expiry() ? received_at_ + std::chrono::seconds(expiry_) : mqtt::kNever;
  }
  std::uint32_t expiry() const { return expiry_; }                // Seconds, as received.
  std::uint32_t expiry_offset() const { return expiry_offset_; }  // Of its four bytes in properties().

 private:
  friend class MessageRef;
  static constexpr std::uint32_t kNoExpiry = 0xFFFFFFFF;

  explicit SharedMessage(std::size_t block_bytes) : block_bytes_(block_bytes) {}
  ~SharedMessage() = default;
  static MessageRef Make(MemoryBudget& budget, mqtt::Block block, char* payload, const mqtt::Publish& publish,
                         std::string_view topic_name, mqtt::TimePoint now);
  static void Destroy(SharedMessage* message);

  const char* bytes() const { return reinterpret_cast<const char*>(this) + offset_; }

  MemoryBudget* budget_ = nullptr;  // Null between two shards.
  const std::size_t block_bytes_;   // Of the memory that begins with this header.
  mqtt::TimePoint received_at_{};
  std::uint32_t references_ = 0;
  std::uint32_t offset_ = 0;  // Of the Topic Name, in that memory.
  std::uint32_t property_bytes_ = 0;
  std::uint32_t payload_bytes_ = 0;
  std::uint32_t expiry_ = 0;
  std::uint32_t expiry_offset_ = kNoExpiry;
  std::uint16_t topic_bytes_ = 0;
  mqtt::QoS qos_ = mqtt::QoS::kAtMostOnce;
  bool retain_ : 1 = false;
  bool request_ : 1 = false;
};

// Shares ownership of a message.
class MessageRef {
 public:
  MessageRef() = default;
  explicit MessageRef(SharedMessage* message) : message_(message) { Hold(); }
  MessageRef(const MessageRef& other) : message_(other.message_) { Hold(); }
  MessageRef(MessageRef&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(MessageRef other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageRef() {
    if (message_ != nullptr && --message_->references_ == 0) SharedMessage::Destroy(message_);
  }

  const SharedMessage* operator->() const { return message_; }
  const SharedMessage& operator*() const { return *message_; }
  explicit operator bool() const { return message_ != nullptr; }

 private:
  friend class SharedMessage;
  void Hold() {
    if (message_ != nullptr) ++message_->references_;
  }
  SharedMessage* message_ = nullptr;
};

// Names a share group as long as it exists; 0: none. Never used twice.
using ShareGroupId = std::uint32_t;

// A message on its way to one client: what is private to it.
struct Delivery {
  Delivery() = default;
  Delivery(MessageRef message_in, mqtt::QoS qos_in) : message(std::move(message_in)), qos(qos_in) {}

  MessageRef message;
  mqtt::QoS qos = mqtt::QoS::kAtMostOnce;             // The lower of published and granted (MQTT-3.8.4-8).
  bool retain = false;                                // The RETAIN flag it is sent with.
  ShareGroupId group = 0;                             // The share group it was chosen for.
  absl::InlinedVector<std::uint32_t, 1> identifiers;  // Subscription Identifiers (MQTT-3.3.4-3).
};

// What a PUBLISH carries that belongs to one sending of it.
struct PublishHead {
  PublishHead() = default;

  mqtt::ProtocolVersion version = mqtt::ProtocolVersion::k5;
  mqtt::PacketId packet_id = 0;      // 0 for QoS 0.
  bool dup = false;                  // Sent on an earlier connection (MQTT-3.3.1-1).
  std::uint16_t topic_alias = 0;     // 0: none.
  bool topic_name_left_out = false;  // The alias stands for it.
};

// The whole PUBLISH packet in bytes, without a Topic Alias.
std::size_t PacketBytes(const Delivery& delivery, mqtt::ProtocolVersion version);

// What a Topic Alias adds to a packet (3.3.2.3.4).
inline constexpr std::size_t kTopicAliasBytes = 3;

// Up to this size a packet is copied whole into its target's buffer: that costs
// less than the kernel's work for further elements of the gather list.
inline constexpr std::size_t kCopyWholeBytes = 512;

// Appends the PUBLISH to `out`, except for the returned end of it, which stays
// in the shared message and follows `out` on the wire; empty if all was copied.
std::string_view AppendPublish(const Delivery& delivery, const PublishHead& head, mqtt::TimePoint now,
                               mqtt::WireBuffer& out);

}  // namespace mqttrpc::broker
