// CONNECT (3.1) and CONNACK (3.2).
#include <iterator>

#include "packet_codec.h"

namespace mqttrpc::mqtt {
namespace {

constexpr ReasonCode kMalformed = ReasonCode::kMalformedPacket;
constexpr ReasonCode kProtocolError = ReasonCode::kProtocolError;

constexpr std::string_view kProtocolName = "MQTT";
constexpr std::string_view kProtocolName31 = "MQIsdp";  // What MQTT 3.1 called itself.

// The Connect Flags (3.1.2.3).
constexpr std::uint8_t kReservedFlag = 0x01;
constexpr std::uint8_t kCleanStartFlag = 0x02;
constexpr std::uint8_t kWillFlag = 0x04;
constexpr int kWillQoSShift = 3;
constexpr std::uint8_t kWillQoSMask = 0x18;
constexpr std::uint8_t kWillRetainFlag = 0x20;
constexpr std::uint8_t kPasswordFlag = 0x40;
constexpr std::uint8_t kUserNameFlag = 0x80;

// Another version is refused before what follows is looked at: it means something
// else there.
void ReadVersion(Reader& in) {
  const std::string_view name = in.Binary("Protocol Name");
  const std::uint8_t number = in.U8("Protocol Version");
  if (in.failed()) return;
  const auto version = static_cast<ProtocolVersion>(number);
  const bool known = name == kProtocolName     ? version == ProtocolVersion::k5 || version == ProtocolVersion::k311
                     : name == kProtocolName31 ? version == ProtocolVersion::k31
                                               : false;
  if (!known) return in.Fail(kOtherVersion);
  in.set_version(version);
}

// What MQTT 3 has for a Reason Code, and back; other codes have no place there.
struct ReturnCode {
  std::uint8_t number;
  ReasonCode code;
};
constexpr ReturnCode kReturnCodes[] = {
    {0, ReasonCode::kSuccess},
    {1, ReasonCode::kUnsupportedProtocolVersion},
    {2, ReasonCode::kClientIdentifierNotValid},
    {3, ReasonCode::kServerUnavailable},
    {4, ReasonCode::kBadUserNameOrPassword},
    {5, ReasonCode::kNotAuthorized},
};

ReasonCode ReadReturnCode(Reader& in) {
  const std::uint8_t number = in.U8("Connect Return Code");
  if (number < std::size(kReturnCodes)) return kReturnCodes[number].code;
  in.Fail({kMalformed, "Connect Return Code", "is over 5"});
  return ReasonCode();
}

Fault FlagsFault(std::uint8_t flags) {
  if ((flags & kReservedFlag) != 0) return {kMalformed, "Connect Flags", "have the reserved bit set"};  // MQTT-3.1.2-3
  if ((flags & kWillQoSMask) == kWillQoSMask) return {kMalformed, "Will QoS", "is 3"};                  // MQTT-3.1.2-12
  if ((flags & kWillFlag) != 0) return {};
  if ((flags & kWillQoSMask) != 0) return {kMalformed, "Will QoS", "is set without a Will"};        // MQTT-3.1.2-11
  if ((flags & kWillRetainFlag) != 0) return {kMalformed, "Will Retain", "is set without a Will"};  // MQTT-3.1.2-13
  return {};
}

Fault PasswordFault(ProtocolVersion version, bool user_name, bool password) {
  if (version == ProtocolVersion::k5 || user_name || !password) return {};
  return {kMalformed, "Password", "is set without a User Name"};  // 3.1.1: MQTT-3.1.2-22
}

Fault WillFault(const Will& will) {
  if (will.qos > QoS::kExactlyOnce) return {kMalformed, "Will QoS", "is over 2"};  // MQTT-3.1.2-12
  Fault fault = TopicNameFault(will.topic_name);
  if (fault) fault.field = "Will Topic";
  return fault;
}

Fault FaultOf(const ConnAck& packet, Sender sender) {
  if (const Fault fault = ReasonCodeFault(packet.reason_code, PacketType::kConnAck, sender)) return fault;
  if (packet.session_present && packet.reason_code != ReasonCode::kSuccess) {
    return {kProtocolError, "Session Present", "is set in a refusal"};  // MQTT-3.2.2-6
  }
  return {};
}

}  // namespace

std::uint8_t ConnAckReturnCode(ReasonCode code) {
  for (const ReturnCode& each : kReturnCodes) {
    if (each.code == code) return each.number;
  }
  if (code == ReasonCode::kBanned || code == ReasonCode::kBadAuthenticationMethod) return 5;
  return 3;  // Server unavailable: the rest are reasons of ours.
}

void DecodeBody(Reader& in, Sender sender, Connect& packet) {
  ReadVersion(in);
  packet.version = in.version();
  const std::uint8_t flags = in.U8("Connect Flags");
  if (const Fault fault = FlagsFault(flags)) return in.Fail(fault);
  const bool user_name = (flags & kUserNameFlag) != 0;
  const bool password = (flags & kPasswordFlag) != 0;
  if (const Fault fault = PasswordFault(in.version(), user_name, password)) return in.Fail(fault);
  packet.clean_start = (flags & kCleanStartFlag) != 0;
  packet.keep_alive = in.U16("Keep Alive");
  packet.properties = ReadProperties(in, In(PacketType::kConnect), sender);
  packet.client_id = in.String("Client Identifier");  // MQTT-3.1.3-3, MQTT-3.1.3-4
  if ((flags & kWillFlag) != 0) {
    Will& will = packet.will.emplace();
    will.qos = static_cast<QoS>((flags & kWillQoSMask) >> kWillQoSShift);
    will.retain = (flags & kWillRetainFlag) != 0;
    will.properties = ReadProperties(in, PropertyPlace::kWill, sender);
    will.topic_name = in.String("Will Topic");  // MQTT-3.1.3-11
    will.payload = in.Binary("Will Payload");
    if (const Fault fault = WillFault(will)) in.Fail(fault);
  }
  // MQTT 3.1 allows the flags without the fields: the packet's length decides.
  const auto follows = [&] { return in.version() != ProtocolVersion::k31 || !in.AtEnd(); };
  if (user_name && follows()) packet.user_name = in.String("User Name");  // MQTT-3.1.3-12
  if (password && follows()) packet.password = in.Binary("Password");
}

void EncodeBody(const Connect& packet, Sender sender, Writer& out) {
  out.set_version(packet.version);
  if (const Fault fault = PasswordFault(packet.version, packet.user_name.has_value(), packet.password.has_value())) {
    return out.Fail(fault);
  }
  std::uint8_t flags = 0;
  if (packet.clean_start) flags |= kCleanStartFlag;
  if (packet.user_name.has_value()) flags |= kUserNameFlag;
  if (packet.password.has_value()) flags |= kPasswordFlag;
  if (packet.will.has_value()) {
    if (const Fault fault = WillFault(*packet.will)) return out.Fail(fault);
    flags |= kWillFlag;
    flags |= static_cast<std::uint8_t>(static_cast<unsigned>(packet.will->qos) << kWillQoSShift);
    if (packet.will->retain) flags |= kWillRetainFlag;
  }
  out.String(packet.version == ProtocolVersion::k31 ? kProtocolName31 : kProtocolName);
  out.U8(static_cast<std::uint8_t>(packet.version));
  out.U8(flags);
  out.U16(packet.keep_alive);
  WriteProperties(packet.properties, In(PacketType::kConnect), sender, out);
  out.String(packet.client_id, "Client Identifier");
  if (packet.will.has_value()) {
    WriteProperties(packet.will->properties, PropertyPlace::kWill, sender, out);
    out.String(packet.will->topic_name, "Will Topic");
    out.Binary(packet.will->payload, "Will Payload");
  }
  if (packet.user_name.has_value()) out.String(*packet.user_name, "User Name");
  if (packet.password.has_value()) out.Binary(*packet.password, "Password");
}

void DecodeBody(Reader& in, Sender sender, ConnAck& packet) {
  const std::uint8_t flags = in.U8("Connect Acknowledge Flags");
  if (flags > 1) in.Fail({kMalformed, "Connect Acknowledge Flags", "have a reserved bit set"});  // MQTT-3.2.2-1
  packet.session_present = flags == 1 && in.version() != ProtocolVersion::k31;
  packet.reason_code = in.v5() ? static_cast<ReasonCode>(in.U8("Reason Code")) : ReadReturnCode(in);
  packet.properties = ReadProperties(in, In(PacketType::kConnAck), sender);
  if (const Fault fault = FaultOf(packet, sender)) in.Fail(fault);
}

void EncodeBody(const ConnAck& packet, Sender sender, Writer& out) {
  if (const Fault fault = FaultOf(packet, sender)) return out.Fail(fault);
  // MQTT 3.1 has a reserved byte there.
  out.U8(packet.session_present && out.version() != ProtocolVersion::k31 ? 1 : 0);
  out.U8(out.v5() ? static_cast<std::uint8_t>(packet.reason_code) : ConnAckReturnCode(packet.reason_code));
  WriteProperties(packet.properties, In(PacketType::kConnAck), sender, out);
}

}  // namespace mqttrpc::mqtt
