#include "shared_message.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "property_table.h"
#include "wire.h"

namespace mqttrpc::broker {
namespace {

using mqtt::PropertyId;

// How many bytes a property takes on the wire, identifier included.
std::size_t WireBytes(const mqtt::PropertyView& property) {
  switch (property.id) {
    case PropertyId::kPayloadFormatIndicator: return 1 + 1;
    case PropertyId::kTopicAlias: return 1 + 2;
    case PropertyId::kMessageExpiryInterval:
    case PropertyId::kWillDelayInterval: return 1 + 4;
    case PropertyId::kSubscriptionIdentifier: return 1 + mqtt::VariableByteIntegerSize(property.number);
    case PropertyId::kUserProperty: return 1 + 2 + property.text.size() + 2 + property.value.size();
    default: return 1 + 2 + property.text.size();  // Strings and binary data.
  }
}

bool IsForwarded(PropertyId id) { return id != PropertyId::kTopicAlias && id != PropertyId::kWillDelayInterval; }

struct Layout {
  std::size_t property_bytes = 0;
  std::uint32_t expiry = 0;
  std::uint32_t expiry_offset = 0xFFFFFFFF;
};

bool ForwardsAll(mqtt::PropertiesView properties) {
  return !properties.Has(PropertyId::kTopicAlias) && !properties.Has(PropertyId::kWillDelayInterval);
}

Layout LayoutOf(mqtt::PropertiesView properties) {
  Layout layout;
  if (ForwardsAll(properties)) {
    layout.property_bytes = properties.size_bytes();
    if (const auto offset = properties.OffsetOf(PropertyId::kMessageExpiryInterval)) {
      layout.expiry = properties.Get(mqtt::property::kMessageExpiryInterval).value_or(0);
      layout.expiry_offset = static_cast<std::uint32_t>(*offset + 1);
    }
    return layout;
  }
  properties.ForEach([&](const mqtt::PropertyView& each) {
    if (!IsForwarded(each.id)) return;
    if (each.id == PropertyId::kMessageExpiryInterval) {
      layout.expiry = each.number;
      layout.expiry_offset = static_cast<std::uint32_t>(layout.property_bytes + 1);
    }
    layout.property_bytes += WireBytes(each);
  });
  return layout;
}

// A Topic Alias at either end is cut off without looking at what else there is.
mqtt::PropertiesView MostForwarded(const mqtt::Publish& publish) {
  return mqtt::CutTopicAlias(publish.properties).value_or(publish.properties);
}

// Takes what was for us out of the properties from `begin` to `end`: what is before it moves
// up. Returns where they begin then.
char* KeepForwarded(char* begin, const char* end) {
  char* at = begin;
  const std::string_view all(begin, static_cast<std::size_t>(end - begin));
  mqtt::PropertiesView::FromCheckedBytes(all).ForEach([&](const mqtt::PropertyView& each) {
    const std::size_t size = WireBytes(each);
    if (!IsForwarded(each.id)) {
      std::memmove(begin + size, begin, static_cast<std::size_t>(at - begin));
      begin += size;
    }
    at += size;
  });
  return begin;
}

// Puts `text`, which may overlap, before `end`. Returns where it begins.
char* MoveBefore(char* end, std::string_view text) {
  char* const begin = end - text.size();
  if (!text.empty()) std::memmove(begin, text.data(), text.size());
  return begin;
}

std::size_t IdentifierBytes(const Delivery& delivery) {
  std::size_t bytes = 0;
  for (const std::uint32_t identifier : delivery.identifiers) bytes += 1 + mqtt::VariableByteIntegerSize(identifier);
  return bytes;
}

// What Property Length says. MQTT 3 has no properties.
std::size_t PropertyBytes(const Delivery& delivery, const PublishHead& head) {
  return delivery.message->properties().size() + IdentifierBytes(delivery) +
         (head.topic_alias != 0 ? kTopicAliasBytes : 0);
}

std::uint32_t RemainingLength(const Delivery& delivery, const PublishHead& head) {
  const SharedMessage& message = *delivery.message;
  std::size_t bytes = 2 + (head.topic_name_left_out ? 0 : message.topic_name().size()) + message.payload().size();
  if (delivery.qos != mqtt::QoS::kAtMostOnce) bytes += 2;
  if (head.version == mqtt::ProtocolVersion::k5) {
    const std::size_t properties = PropertyBytes(delivery, head);
    bytes += mqtt::VariableByteIntegerSize(static_cast<std::uint32_t>(properties)) + properties;
  }
  return static_cast<std::uint32_t>(bytes);
}

void PatchU32(mqtt::WireBuffer& out, std::size_t offset, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) out[offset + static_cast<std::size_t>(i)] = static_cast<char>(value >> (24 - 8 * i));
}

}  // namespace

MessageRef SharedMessage::Copy(MemoryBudget& budget, const mqtt::Publish& publish, std::string_view topic_name,
                               mqtt::TimePoint now) {
  const std::size_t before = sizeof(SharedMessage) + topic_name.size() + MostForwarded(publish).size_bytes();
  mqtt::Block block = mqtt::Block::Of(before + publish.payload.size(), &budget.spares());
  char* const payload = block.data() + before;
  if (!publish.payload.empty()) std::memcpy(payload, publish.payload.data(), publish.payload.size());
  return Make(budget, std::move(block), payload, publish, topic_name, now);
}

MessageRef SharedMessage::Adopt(MemoryBudget& budget, mqtt::Block block, const mqtt::Publish& publish,
                                std::string_view topic_name, mqtt::TimePoint now) {
  static_assert(sizeof(SharedMessage) < kRoomInFront);
  const auto before = static_cast<std::size_t>(publish.payload.data() - block.data());
  if (before < sizeof(SharedMessage) + topic_name.size() + MostForwarded(publish).size_bytes()) {
    return Copy(budget, publish, topic_name, now);
  }
  char* const payload = block.data() + before;
  return Make(budget, std::move(block), payload, publish, topic_name, now);
}

// In `block`, where the payload is in its place and the other fields may be anywhere behind
// the header: they are put before it.
MessageRef SharedMessage::Make(MemoryBudget& budget, mqtt::Block block, char* payload, const mqtt::Publish& publish,
                               std::string_view topic_name, mqtt::TimePoint now) {
  const mqtt::PropertiesView properties = MostForwarded(publish);
  const Layout layout = LayoutOf(properties);
  const bool forwards_all = ForwardsAll(properties);
  const bool request = properties.Has(PropertyId::kResponseTopic);
  char* begin = MoveBefore(payload, properties.wire_bytes());
  if (!forwards_all) begin = KeepForwarded(begin, payload);
  const char* const topic = MoveBefore(begin, topic_name);
  const std::size_t size = block.size();
  char* const memory = block.Release();
  auto* message = new (memory) SharedMessage(size);
  message->received_at_ = now;
  message->offset_ = static_cast<std::uint32_t>(topic - memory);
  message->topic_bytes_ = static_cast<std::uint16_t>(topic_name.size());
  message->property_bytes_ = static_cast<std::uint32_t>(layout.property_bytes);
  message->payload_bytes_ = static_cast<std::uint32_t>(publish.payload.size());
  message->expiry_ = layout.expiry;
  message->expiry_offset_ = layout.expiry_offset;
  message->qos_ = publish.qos;
  message->retain_ = publish.retain;
  message->request_ = request;
  MessageRef made(message);
  Charge(made, budget);
  return made;
}

MessageRef SharedMessage::ForShard(MessageRef message) {
  SharedMessage& original = *message.message_;
  if (original.references_ == 1) {
    if (MemoryBudget* budget = std::exchange(original.budget_, nullptr)) budget->Give(original.block_bytes_);
    return message;
  }
  const std::size_t size = sizeof(SharedMessage) + original.topic_name().size() + original.tail().size();
  mqtt::Block block = mqtt::Block::Of(size, original.budget_ == nullptr ? nullptr : &original.budget_->spares());
  const std::size_t block_bytes = block.size();
  char* const memory = block.Release();
  auto* copy = new (memory) SharedMessage(block_bytes);
  copy->received_at_ = original.received_at_;
  copy->offset_ = sizeof(SharedMessage);
  copy->topic_bytes_ = original.topic_bytes_;
  copy->property_bytes_ = original.property_bytes_;
  copy->payload_bytes_ = original.payload_bytes_;
  copy->expiry_ = original.expiry_;
  copy->expiry_offset_ = original.expiry_offset_;
  copy->qos_ = original.qos_;
  copy->retain_ = original.retain_;
  copy->request_ = original.request_;
  std::memcpy(memory + copy->offset_, original.bytes(), size - copy->offset_);
  return MessageRef(copy);
}

void SharedMessage::Charge(const MessageRef& message, MemoryBudget& budget) {
  message.message_->budget_ = &budget;
  budget.Take(message->block_bytes());
}

void SharedMessage::RestartExpiry(const MessageRef& message, mqtt::TimePoint now) {
  message.message_->received_at_ = now;
}

void SharedMessage::Destroy(SharedMessage* message) {
  MemoryBudget* const budget = message->budget_;
  const std::size_t size = message->block_bytes_;
  message->~SharedMessage();
  char* const memory = reinterpret_cast<char*>(message);
  if (budget == nullptr) return std::free(memory);
  budget->Give(size);
  budget->spares().Give(memory, size);
}

std::uint32_t SharedMessage::SecondsLeft(mqtt::TimePoint now) const {
  const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - received_at_).count();
  if (waited <= 0) return expiry_;
  return waited >= expiry_ ? 0 : expiry_ - static_cast<std::uint32_t>(waited);
}

std::size_t PacketBytes(const Delivery& delivery, mqtt::ProtocolVersion version) {
  PublishHead head;
  head.version = version;
  const std::uint32_t remaining = RemainingLength(delivery, head);
  return 1 + mqtt::VariableByteIntegerSize(remaining) + remaining;
}

std::string_view AppendPublish(const Delivery& delivery, const PublishHead& head, mqtt::TimePoint now,
                               mqtt::WireBuffer& out) {
  const SharedMessage& message = *delivery.message;
  const std::uint32_t remaining = RemainingLength(delivery, head);
  const bool copy_whole = remaining <= kCopyWholeBytes;
  const std::string_view topic_name = head.topic_name_left_out ? std::string_view() : message.topic_name();
  mqtt::Writer writer(out);
  writer.U8(static_cast<std::uint8_t>(static_cast<unsigned>(mqtt::PacketType::kPublish) << 4 | (head.dup ? 8u : 0u) |
                                      static_cast<unsigned>(delivery.qos) << 1 | (delivery.retain ? 1u : 0u)));
  writer.VariableByteInteger(remaining);
  writer.U16(static_cast<std::uint16_t>(topic_name.size()));
  writer.Raw(topic_name);
  if (delivery.qos != mqtt::QoS::kAtMostOnce) writer.U16(head.packet_id);
  if (head.version != mqtt::ProtocolVersion::k5) {
    if (!copy_whole) return message.payload();
    writer.Raw(message.payload());
    return {};
  }
  writer.VariableByteInteger(static_cast<std::uint32_t>(PropertyBytes(delivery, head)));
  // Ahead of the others, so that those and the payload are one piece of memory. The alias
  // comes first: a receiver can cut it off there without looking further.
  if (head.topic_alias != 0) {
    writer.U8(static_cast<std::uint8_t>(PropertyId::kTopicAlias));
    writer.U16(head.topic_alias);
  }
  for (const std::uint32_t identifier : delivery.identifiers) {
    writer.U8(static_cast<std::uint8_t>(PropertyId::kSubscriptionIdentifier));
    writer.VariableByteInteger(identifier);
  }

  const std::uint32_t left = message.has_expiry() ? message.SecondsLeft(now) : 0;
  const bool patch = left != message.expiry();
  if (!copy_whole && !patch) return message.tail();
  const std::size_t properties_at = out.size();
  writer.Raw(message.properties());
  if (patch) PatchU32(out, properties_at + message.expiry_offset(), left);  // MQTT-3.3.2-6
  if (!copy_whole) return message.payload();
  writer.Raw(message.payload());
  return {};
}

}  // namespace mqttrpc::broker
