// PUBACK (3.4), PUBREC (3.5), PUBREL (3.6) and PUBCOMP (3.7), which look alike.
#include "packet_codec.h"

namespace mqttrpc::mqtt {
namespace {

template <PacketType kType>
Fault FaultOf(const PublishResponse<kType>& packet, Sender sender) {
  if (const Fault fault = PacketIdFault(packet.packet_id)) return fault;
  return ReasonCodeFault(packet.reason_code, kType, sender);
}

template <PacketType kType>
void Decode(Reader& in, Sender sender, PublishResponse<kType>& packet) {
  packet.packet_id = in.U16("Packet Identifier");
  if (in.v5() && !in.AtEnd()) packet.reason_code = static_cast<ReasonCode>(in.U8("Reason Code"));  // 3.4.2.1
  if (in.v5() && !in.AtEnd()) packet.properties = ReadProperties(in, In(kType), sender);           // 3.4.2.2.1
  if (const Fault fault = FaultOf(packet, sender)) in.Fail(fault);
}

template <PacketType kType>
void Encode(const PublishResponse<kType>& packet, Sender sender, Writer& out) {
  if (const Fault fault = FaultOf(packet, sender)) return out.Fail(fault);
  out.U16(packet.packet_id);
  if (!out.v5()) return;  // The identifier is all there is.
  if (packet.reason_code == ReasonCode::kSuccess && packet.properties.empty()) return;
  out.U8(static_cast<std::uint8_t>(packet.reason_code));
  if (!packet.properties.empty()) WriteProperties(packet.properties, In(kType), sender, out);
}

}  // namespace

void DecodeBody(Reader& in, Sender sender, PubAck& packet) { Decode(in, sender, packet); }
void DecodeBody(Reader& in, Sender sender, PubRec& packet) { Decode(in, sender, packet); }
void DecodeBody(Reader& in, Sender sender, PubRel& packet) { Decode(in, sender, packet); }
void DecodeBody(Reader& in, Sender sender, PubComp& packet) { Decode(in, sender, packet); }

void EncodeBody(const PubAck& packet, Sender sender, Writer& out) { Encode(packet, sender, out); }
void EncodeBody(const PubRec& packet, Sender sender, Writer& out) { Encode(packet, sender, out); }
void EncodeBody(const PubRel& packet, Sender sender, Writer& out) { Encode(packet, sender, out); }
void EncodeBody(const PubComp& packet, Sender sender, Writer& out) { Encode(packet, sender, out); }

void EncodePubAck(PacketId packet_id, ReasonCode reason_code, WireBuffer& out, ProtocolVersion version) {
  Writer writer(out);
  writer.U8(static_cast<std::uint8_t>(PacketType::kPubAck) << 4);
  const bool success = reason_code == ReasonCode::kSuccess || version != ProtocolVersion::k5;
  writer.U8(success ? 2 : 3);
  writer.U16(packet_id);
  if (!success) writer.U8(static_cast<std::uint8_t>(reason_code));
}

}  // namespace mqttrpc::mqtt
