// PUBLISH (3.3).
#include "packet_codec.h"

namespace mqttrpc::mqtt {
namespace {

// The flags (3.3.1).
constexpr std::uint8_t kRetainFlag = 0x01;
constexpr int kQoSShift = 1;
constexpr std::uint8_t kQoSMask = 0x06;
constexpr std::uint8_t kDupFlag = 0x08;

Fault FlagsFault(const Publish& packet) {
  if (packet.qos > QoS::kExactlyOnce) return {ReasonCode::kMalformedPacket, "QoS", "is 3"};  // MQTT-3.3.1-4
  if (packet.dup && packet.qos == QoS::kAtMostOnce) {
    return {ReasonCode::kMalformedPacket, "DUP", "is set with QoS 0"};  // MQTT-3.3.1-2
  }
  return {};
}

Fault TopicFault(const Publish& packet, ProtocolVersion version) {
  if (!packet.topic_name.empty()) return TopicNameFault(packet.topic_name);  // MQTT-3.3.2-2
  if (version != ProtocolVersion::k5) return {ReasonCode::kMalformedPacket, "Topic Name", "is empty"};
  if (packet.properties.Has(PropertyId::kTopicAlias)) return {};
  return {ReasonCode::kProtocolError, "Topic Name", "is empty and there is no Topic Alias"};  // 3.3.2.1
}

Fault IdFault(const Publish& packet) {
  if (packet.qos != QoS::kAtMostOnce) return PacketIdFault(packet.packet_id);
  if (packet.packet_id == 0) return {};
  return {ReasonCode::kProtocolError, "Packet Identifier", "is set with QoS 0"};  // MQTT-2.2.1-2
}

std::uint8_t FirstByteOf(const Publish& packet) {
  unsigned byte = static_cast<unsigned>(PacketType::kPublish) << 4;
  byte |= static_cast<unsigned>(packet.qos) << kQoSShift;
  if (packet.dup) byte |= kDupFlag;
  if (packet.retain) byte |= kRetainFlag;
  return static_cast<std::uint8_t>(byte);
}

// Remaining Length, if no field is too long for it.
std::size_t BodySize(const Publish& packet, ProtocolVersion version) {
  const std::size_t properties = packet.properties.size_bytes();
  const std::size_t packet_id = packet.qos == QoS::kAtMostOnce ? 0 : 2;
  if (version != ProtocolVersion::k5) return 2 + packet.topic_name.size() + packet_id + packet.payload.size();
  return 2 + packet.topic_name.size() + packet_id + VariableByteIntegerSize(static_cast<std::uint32_t>(properties)) +
         properties + packet.payload.size();
}

Fault FaultOf(const Publish& packet, ProtocolVersion version) {
  if (const Fault fault = FlagsFault(packet)) return fault;
  if (const Fault fault = IdFault(packet)) return fault;
  return TopicFault(packet, version);
}

}  // namespace

void DecodePublishBody(Reader& in, std::uint8_t flags, Sender sender, Publish& packet) {
  packet.retain = (flags & kRetainFlag) != 0;
  packet.dup = (flags & kDupFlag) != 0;
  packet.qos = static_cast<QoS>((flags & kQoSMask) >> kQoSShift);
  if (const Fault fault = FlagsFault(packet)) return in.Fail(fault);
  packet.topic_name = in.String("Topic Name");  // MQTT-3.3.2-1
  if (packet.qos != QoS::kAtMostOnce) packet.packet_id = in.U16("Packet Identifier");
  packet.properties = ReadProperties(in, In(PacketType::kPublish), sender);
  if (in.failed()) return;
  if (const Fault fault = FaultOf(packet, in.version())) return in.Fail(fault);
  packet.payload = in.Rest();
}

absl::Status EncodePublish(const Publish& packet, Sender sender, WireBuffer& out, ProtocolVersion version) {
  if (const Fault fault = FaultOf(packet, version)) return CannotEncode(PacketType::kPublish, fault);
  const std::size_t body_size = BodySize(packet, version);
  if (body_size > kMaximumVariableByteInteger) {
    return CannotEncode(PacketType::kPublish, {ReasonCode::kPacketTooLarge, {}, "packet is over 268,435,455 bytes"});
  }
  const std::size_t begin = out.size();
  Writer writer(out, version);
  writer.U8(FirstByteOf(packet));
  writer.VariableByteInteger(static_cast<std::uint32_t>(body_size));
  writer.String(packet.topic_name, "Topic Name");
  if (packet.qos != QoS::kAtMostOnce) writer.U16(packet.packet_id);
  WriteProperties(packet.properties, In(PacketType::kPublish), sender, writer);
  if (writer.failed()) {
    out.resize(begin);
    return CannotEncode(PacketType::kPublish, writer.fault());
  }
  writer.Raw(packet.payload);
  return absl::OkStatus();
}

}  // namespace mqttrpc::mqtt
