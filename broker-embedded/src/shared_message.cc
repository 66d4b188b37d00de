#include "shared_message.h"

#include <cstring>
#include <new>

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

void CopyForwarded(mqtt::PropertiesView properties, char* to) {
  const char* from = properties.wire_bytes().data();
  if (properties.empty()) return;
  if (ForwardsAll(properties)) {
    std::memcpy(to, from, properties.size_bytes());
    return;
  }
  properties.ForEach([&](const mqtt::PropertyView& each) {
    const std::size_t size = WireBytes(each);
    if (IsForwarded(each.id)) {
      std::memcpy(to, from, size);
      to += size;
    }
    from += size;
  });
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
  const mqtt::PropertiesView properties = mqtt::CutTopicAlias(publish.properties).value_or(publish.properties);
  const Layout layout = LayoutOf(properties);
  const std::size_t size = sizeof(SharedMessage) + topic_name.size() + layout.property_bytes + publish.payload.size();
  auto* message = new (::operator new(size)) SharedMessage(budget, size);
  message->received_at_ = now;
  message->qos_ = publish.qos;
  message->retain_ = publish.retain;
  message->request_ = properties.Has(PropertyId::kResponseTopic);
  message->topic_bytes_ = static_cast<std::uint16_t>(topic_name.size());
  message->property_bytes_ = static_cast<std::uint32_t>(layout.property_bytes);
  message->payload_bytes_ = static_cast<std::uint32_t>(publish.payload.size());
  message->expiry_ = layout.expiry;
  message->expiry_offset_ = layout.expiry_offset;
  char* to = message->bytes();
  if (!topic_name.empty()) std::memcpy(to, topic_name.data(), topic_name.size());
  to += topic_name.size();
  CopyForwarded(properties, to);
  to += layout.property_bytes;
  if (!publish.payload.empty()) std::memcpy(to, publish.payload.data(), publish.payload.size());
  return MessageRef(message);
}

void SharedMessage::RestartExpiry(const MessageRef& message, mqtt::TimePoint now) {
  message.message_->received_at_ = now;
}

void SharedMessage::Destroy(SharedMessage* message) {
  message->~SharedMessage();
  ::operator delete(message);
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
