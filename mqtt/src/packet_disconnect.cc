// DISCONNECT (3.14) and AUTH (3.15); PINGREQ (3.12) and PINGRESP (3.13), which
// have no body.
#include "packet_codec.h"

namespace mqttrpc::mqtt {
namespace {

// The one AUTH without a method is the one without anything (3.15.2.1).
Fault MethodFault(const Auth& packet) {
  if (packet.properties.Has(PropertyId::kAuthenticationMethod)) return {};
  return {ReasonCode::kProtocolError, {}, "there is no Authentication Method"};  // 3.15.2.2.2, MQTT-4.12.0-5
}

}  // namespace

void DecodeBody(Reader&, Sender, PingReq&) {}
void DecodeBody(Reader&, Sender, PingResp&) {}
void EncodeBody(const PingReq&, Sender, Writer&) {}
void EncodeBody(const PingResp&, Sender, Writer&) {}

void DecodeBody(Reader& in, Sender sender, Disconnect& packet) {
  if (!in.v5()) return sender == Sender::kClient ? void() : in.Fail(kNotInMqtt3);
  if (!in.AtEnd()) packet.reason_code = static_cast<ReasonCode>(in.U8("Reason Code"));  // 3.14.2.1
  if (!in.AtEnd()) packet.properties = ReadProperties(in, In(PacketType::kDisconnect), sender);
  if (const Fault fault = ReasonCodeFault(packet.reason_code, PacketType::kDisconnect, sender)) in.Fail(fault);
}

void EncodeBody(const Disconnect& packet, Sender sender, Writer& out) {
  if (!out.v5()) {  // The client's, without the will, is all there is.
    const bool plain = packet.reason_code == ReasonCode::kNormalDisconnection;
    return sender == Sender::kClient && plain ? void() : out.Fail(kNotInMqtt3);
  }
  if (const Fault fault = ReasonCodeFault(packet.reason_code, PacketType::kDisconnect, sender)) return out.Fail(fault);
  if (packet.reason_code == ReasonCode::kNormalDisconnection && packet.properties.empty()) return;
  out.U8(static_cast<std::uint8_t>(packet.reason_code));
  if (!packet.properties.empty()) WriteProperties(packet.properties, In(PacketType::kDisconnect), sender, out);
}

void DecodeBody(Reader& in, Sender sender, Auth& packet) {
  if (!in.AtEnd()) {
    packet.reason_code = static_cast<ReasonCode>(in.U8("Reason Code"));
    packet.properties = ReadProperties(in, In(PacketType::kAuth), sender);
    if (in.failed()) return;
    if (const Fault fault = MethodFault(packet)) return in.Fail(fault);
  }
  if (const Fault fault = ReasonCodeFault(packet.reason_code, PacketType::kAuth, sender)) in.Fail(fault);
}

void EncodeBody(const Auth& packet, Sender sender, Writer& out) {
  if (!out.v5()) return out.Fail(kNotInMqtt3);
  if (const Fault fault = ReasonCodeFault(packet.reason_code, PacketType::kAuth, sender)) return out.Fail(fault);
  if (packet.reason_code == ReasonCode::kSuccess && packet.properties.empty()) return;
  if (const Fault fault = MethodFault(packet)) return out.Fail(fault);
  out.U8(static_cast<std::uint8_t>(packet.reason_code));
  WriteProperties(packet.properties, In(PacketType::kAuth), sender, out);
}

}  // namespace mqttrpc::mqtt
