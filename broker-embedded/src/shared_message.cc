#include "shared_message.h"

#include <cstring>
#include <new>

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

Layout LayoutOf(mqtt::PropertiesView properties) {
  Layout layout;
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

std::uint32_t RemainingLength(const Delivery& delivery) {
  const SharedMessage& message = *delivery.message;
  const std::size_t properties = message.properties().size() + IdentifierBytes(delivery);
  return static_cast<std::uint32_t>(2 + message.topic_name().size() + (delivery.qos == mqtt::QoS::kAtMostOnce ? 0 : 2) +
                                    mqtt::VariableByteIntegerSize(static_cast<std::uint32_t>(properties)) + properties +
                                    message.payload().size());
}

void PatchU32(mqtt::WireBuffer& out, std::size_t offset, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) out[offset + static_cast<std::size_t>(i)] = static_cast<char>(value >> (24 - 8 * i));
}

}  // namespace

MessageRef SharedMessage::Copy(MemoryBudget& budget, const mqtt::Publish& publish, std::string_view topic_name,
                               mqtt::TimePoint now) {
  const Layout layout = LayoutOf(publish.properties);
  const std::size_t size = sizeof(SharedMessage) + topic_name.size() + layout.property_bytes + publish.payload.size();
  auto* message = new (::operator new(size)) SharedMessage(budget, size);
  message->received_at_ = now;
  message->qos_ = publish.qos;
  message->topic_bytes_ = static_cast<std::uint16_t>(topic_name.size());
  message->property_bytes_ = static_cast<std::uint32_t>(layout.property_bytes);
  message->payload_bytes_ = static_cast<std::uint32_t>(publish.payload.size());
  message->expiry_ = layout.expiry;
  message->expiry_offset_ = layout.expiry_offset;
  char* to = message->bytes();
  if (!topic_name.empty()) std::memcpy(to, topic_name.data(), topic_name.size());
  to += topic_name.size();
  CopyForwarded(publish.properties, to);
  to += layout.property_bytes;
  if (!publish.payload.empty()) std::memcpy(to, publish.payload.data(), publish.payload.size());
  return MessageRef(message);
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

std::size_t PacketBytes(const Delivery& delivery) {
  const std::uint32_t remaining = RemainingLength(delivery);
  return 1 + mqtt::VariableByteIntegerSize(remaining) + remaining;
}

std::string_view AppendPublish(const Delivery& delivery, mqtt::PacketId packet_id, mqtt::TimePoint now,
                               mqtt::WireBuffer& out) {
  const SharedMessage& message = *delivery.message;
  const std::uint32_t remaining = RemainingLength(delivery);
  mqtt::Writer writer(out);
  // DUP 0: this is the first try (MQTT-3.3.1-1). RETAIN 0: CONNACK says that
  // retained messages are not available, so none was taken.
  writer.U8(static_cast<std::uint8_t>(static_cast<unsigned>(mqtt::PacketType::kPublish) << 4 |
                                      static_cast<unsigned>(delivery.qos) << 1));
  writer.VariableByteInteger(remaining);
  writer.U16(static_cast<std::uint16_t>(message.topic_name().size()));
  writer.Raw(message.topic_name());
  if (delivery.qos != mqtt::QoS::kAtMostOnce) writer.U16(packet_id);
  writer.VariableByteInteger(static_cast<std::uint32_t>(message.properties().size() + IdentifierBytes(delivery)));
  // Ahead of the others, so that those and the payload are one piece of memory.
  for (const std::uint32_t identifier : delivery.identifiers) {
    writer.U8(static_cast<std::uint8_t>(PropertyId::kSubscriptionIdentifier));
    writer.VariableByteInteger(identifier);
  }

  const std::uint32_t left = message.has_expiry() ? message.SecondsLeft(now) : 0;
  const bool patch = left != message.expiry();
  const bool copy_whole = remaining <= kCopyWholeBytes;
  if (!copy_whole && !patch) return message.tail();
  const std::size_t properties_at = out.size();
  writer.Raw(message.properties());
  if (patch) PatchU32(out, properties_at + message.expiry_offset(), left);  // MQTT-3.3.2-6
  if (!copy_whole) return message.payload();
  writer.Raw(message.payload());
  return {};
}

}  // namespace mqttrpc::broker
