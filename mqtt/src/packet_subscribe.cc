// SUBSCRIBE (3.8), SUBACK (3.9), UNSUBSCRIBE (3.10) and UNSUBACK (3.11).
#include "packet_codec.h"

namespace mqttrpc::mqtt {
namespace {

constexpr ReasonCode kMalformed = ReasonCode::kMalformedPacket;
constexpr ReasonCode kProtocolError = ReasonCode::kProtocolError;

// The Subscription Options (3.8.3.1).
constexpr std::uint8_t kQoSMask = 0x03;
constexpr std::uint8_t kNoLocal = 0x04;
constexpr std::uint8_t kRetainAsPublished = 0x08;
constexpr int kRetainHandlingShift = 4;
constexpr std::uint8_t kRetainHandlingMask = 0x30;
constexpr std::uint8_t kReservedMask = 0xC0;
constexpr std::uint8_t kReservedMaskInMqtt3 = 0xFC;

Fault FaultOf(const SubscribeEntry& entry) {
  if (entry.qos > QoS::kExactlyOnce) return {kProtocolError, "Maximum QoS", "is 3"};       // 3.8.3.1
  if (entry.retain_handling > 2) return {kProtocolError, "Retain Handling", "is over 2"};  // 3.8.3.1
  if (const Fault fault = TopicFilterFault(entry.topic_filter)) return fault;
  if (entry.no_local && entry.topic_filter.starts_with("$share/")) {
    return {kProtocolError, "No Local", "is set on a shared subscription"};  // MQTT-3.8.3-4
  }
  return {};
}

SubscribeEntry ReadEntry(Reader& in) {
  SubscribeEntry entry;
  entry.topic_filter = in.String("Topic Filter");  // MQTT-3.8.3-1
  const std::uint8_t options = in.U8("Subscription Options");
  entry.qos = static_cast<QoS>(options & kQoSMask);
  entry.no_local = (options & kNoLocal) != 0;
  entry.retain_as_published = (options & kRetainAsPublished) != 0;
  entry.retain_handling = static_cast<std::uint8_t>((options & kRetainHandlingMask) >> kRetainHandlingShift);
  if ((options & (in.v5() ? kReservedMask : kReservedMaskInMqtt3)) != 0 ||
      (!in.v5() && entry.qos > QoS::kExactlyOnce)) {
    in.Fail({kMalformed, "Subscription Options", "have a reserved bit set"});  // MQTT-3.8.3-5
  }
  if (const Fault fault = FaultOf(entry)) in.Fail(fault);
  return entry;
}

void WriteEntry(const SubscribeEntry& entry, Writer& out) {
  if (const Fault fault = FaultOf(entry)) return out.Fail(fault);
  unsigned options = static_cast<unsigned>(entry.qos);
  if (out.v5()) {
    if (entry.no_local) options |= kNoLocal;
    if (entry.retain_as_published) options |= kRetainAsPublished;
    options |= static_cast<unsigned>(entry.retain_handling) << kRetainHandlingShift;
  }
  out.String(entry.topic_filter, "Topic Filter");
  out.U8(static_cast<std::uint8_t>(options));
}

// Packet Identifier and properties, which all four begin with.
template <typename AnyPacket>
void ReadStart(Reader& in, PacketType type, Sender sender, AnyPacket& packet) {
  packet.packet_id = in.U16("Packet Identifier");
  if (const Fault fault = PacketIdFault(packet.packet_id)) in.Fail(fault);
  packet.properties = ReadProperties(in, In(type), sender);
}

template <typename AnyPacket>
void WriteStart(const AnyPacket& packet, PacketType type, Sender sender, Writer& out) {
  if (const Fault fault = PacketIdFault(packet.packet_id)) out.Fail(fault);
  out.U16(packet.packet_id);
  WriteProperties(packet.properties, In(type), sender, out);
}

// The Reason Codes that SUBACK and UNSUBACK end with.
void ReadReasonCodes(Reader& in, PacketType type, Sender sender, std::vector<ReasonCode>& codes) {
  if (in.AtEnd()) in.Fail({kProtocolError, {}, "there is no Reason Code"});
  if (in.failed()) return;
  codes.reserve(in.remaining());
  while (!in.AtEnd() && !in.failed()) {
    codes.push_back(static_cast<ReasonCode>(in.U8("Reason Code")));
    if (const Fault fault = ReasonCodeFault(codes.back(), type, sender)) in.Fail(fault);
    if (!in.v5() && IsError(codes.back()) && codes.back() != ReasonCode::kUnspecifiedError) {
      in.Fail({kProtocolError, "Return Code", "is not one of this packet's"});  // 3.1.1: MQTT-3.9.3-2
    }
  }
}

void WriteReasonCodes(const std::vector<ReasonCode>& codes, PacketType type, Sender sender, Writer& out) {
  if (codes.empty()) out.Fail({kProtocolError, {}, "there is no Reason Code"});
  for (const ReasonCode code : codes) {
    if (const Fault fault = ReasonCodeFault(code, type, sender)) return out.Fail(fault);
    out.U8(static_cast<std::uint8_t>(out.v5() || !IsError(code) ? code : ReasonCode::kUnspecifiedError));
  }
}

constexpr Fault kNoFilter = {kProtocolError, {}, "there is no Topic Filter"};  // MQTT-3.8.3-2, MQTT-3.10.3-2

}  // namespace

void DecodeBody(Reader& in, Sender sender, Subscribe& packet) {
  ReadStart(in, PacketType::kSubscribe, sender, packet);
  if (in.AtEnd()) in.Fail(kNoFilter);
  while (!in.AtEnd() && !in.failed()) packet.entries.push_back(ReadEntry(in));
}

void EncodeBody(const Subscribe& packet, Sender sender, Writer& out) {
  WriteStart(packet, PacketType::kSubscribe, sender, out);
  if (packet.entries.empty()) out.Fail(kNoFilter);
  for (const SubscribeEntry& entry : packet.entries) WriteEntry(entry, out);
}

void DecodeBody(Reader& in, Sender sender, SubAck& packet) {
  ReadStart(in, PacketType::kSubAck, sender, packet);
  ReadReasonCodes(in, PacketType::kSubAck, sender, packet.reason_codes);
}

void EncodeBody(const SubAck& packet, Sender sender, Writer& out) {
  WriteStart(packet, PacketType::kSubAck, sender, out);
  WriteReasonCodes(packet.reason_codes, PacketType::kSubAck, sender, out);
}

void DecodeBody(Reader& in, Sender sender, Unsubscribe& packet) {
  ReadStart(in, PacketType::kUnsubscribe, sender, packet);
  if (in.AtEnd()) in.Fail(kNoFilter);
  while (!in.AtEnd() && !in.failed()) {
    packet.topic_filters.push_back(in.String("Topic Filter"));  // MQTT-3.10.3-1
    if (const Fault fault = TopicFilterFault(packet.topic_filters.back())) in.Fail(fault);
  }
}

void EncodeBody(const Unsubscribe& packet, Sender sender, Writer& out) {
  WriteStart(packet, PacketType::kUnsubscribe, sender, out);
  if (packet.topic_filters.empty()) out.Fail(kNoFilter);
  for (const std::string_view topic_filter : packet.topic_filters) {
    if (const Fault fault = TopicFilterFault(topic_filter)) return out.Fail(fault);
    out.String(topic_filter, "Topic Filter");
  }
}

void DecodeBody(Reader& in, Sender sender, UnsubAck& packet) {
  ReadStart(in, PacketType::kUnsubAck, sender, packet);
  if (!in.v5()) return;  // The identifier is all there is.
  ReadReasonCodes(in, PacketType::kUnsubAck, sender, packet.reason_codes);
}

void EncodeBody(const UnsubAck& packet, Sender sender, Writer& out) {
  WriteStart(packet, PacketType::kUnsubAck, sender, out);
  if (!out.v5()) return;
  WriteReasonCodes(packet.reason_codes, PacketType::kUnsubAck, sender, out);
}

}  // namespace mqttrpc::mqtt
