#include "packets.h"

#include <array>
#include <type_traits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/utility/utility.h>

#include "mqttrpc/mqtt/status.h"
#include "packet_codec.h"

namespace mqttrpc::mqtt {
namespace {

// A packet's first byte without the type (2.1.3), and who may send it (2.1.2).
struct TypeSpec {
  std::string_view name;
  std::uint8_t flags;
  bool client;
  bool server;
};

constexpr std::array<TypeSpec, 16> kTypes = {{
    {"reserved packet", 0, false, false},
    {"CONNECT", 0, true, false},
    {"CONNACK", 0, false, true},
    {"PUBLISH", 0, true, true},  // Its flags vary.
    {"PUBACK", 0, true, true},
    {"PUBREC", 0, true, true},
    {"PUBREL", 0b0010, true, true},  // MQTT-3.6.1-1
    {"PUBCOMP", 0, true, true},
    {"SUBSCRIBE", 0b0010, true, false},  // MQTT-3.8.1-1
    {"SUBACK", 0, false, true},
    {"UNSUBSCRIBE", 0b0010, true, false},  // MQTT-3.10.1-1
    {"UNSUBACK", 0, false, true},
    {"PINGREQ", 0, true, false},
    {"PINGRESP", 0, false, true},
    {"DISCONNECT", 0, true, true},
    {"AUTH", 0, true, true},
}};

const TypeSpec& SpecOf(PacketType type) { return kTypes[static_cast<std::size_t>(type) & 0x0F]; }

bool MaySend(PacketType type, Sender sender) {
  return sender == Sender::kClient ? SpecOf(type).client : SpecOf(type).server;
}

constexpr Fault kWrongDirection = {ReasonCode::kProtocolError, {}, "may not be sent by this side"};

Fault FixedHeaderFault(PacketType type, std::uint8_t flags, Sender sender, ProtocolVersion version) {
  if (type == PacketType()) return {ReasonCode::kMalformedPacket, {}, "packet type 0 is reserved"};
  if (type == PacketType::kAuth && version != ProtocolVersion::k5) {
    return {ReasonCode::kMalformedPacket, {}, "packet type 15 is reserved"};
  }
  // MQTT 3.1 repeats packets with DUP.
  if (version == ProtocolVersion::k31 && SpecOf(type).flags != 0) flags &= ~std::uint8_t{0b1000};
  if (type != PacketType::kPublish && flags != SpecOf(type).flags) {
    return {ReasonCode::kMalformedPacket, "flags", "in the first byte are not the reserved ones"};  // MQTT-2.1.3-1
  }
  return MaySend(type, sender) ? Fault() : kWrongDirection;
}

// Decodes the body into the packet's own alternative.
template <typename P, typename Decode>
absl::StatusOr<Packet> DecodeAs(const Frame& frame, ProtocolVersion version, Decode&& decode) {
  absl::StatusOr<Packet> packet(absl::in_place, std::in_place_type<P>);
  Reader in(AsText(frame.body), version);
  decode(in, std::get<P>(*packet));
  if (const Fault fault = in.Verdict()) return RefusalOf(TypeOf(*packet), fault);
  return packet;
}

template <typename P>
absl::StatusOr<Packet> DecodeAs(const Frame& frame, Sender sender, ProtocolVersion version) {
  return DecodeAs<P>(frame, version, [sender](Reader& in, P& packet) { DecodeBody(in, sender, packet); });
}

// The packet with its fixed header. One byte is set aside for the Remaining
// Length; a longer one moves the body.
template <typename P>
absl::Status EncodeAs(const P& packet, PacketType type, Sender sender, WireBuffer& buffer, ProtocolVersion version) {
  if (!MaySend(type, sender)) return CannotEncode(type, kWrongDirection);
  const std::size_t begin = buffer.size();
  Writer out(buffer, version);
  out.U8(static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | SpecOf(type).flags));
  out.U8(0);
  EncodeBody(packet, sender, out);
  const std::size_t body_size = buffer.size() - begin - 2;
  if (body_size > kMaximumVariableByteInteger) out.Fail("packet is over 268,435,455 bytes");
  if (out.failed()) {
    buffer.resize(begin);
    return CannotEncode(type, out.fault());
  }
  WireBuffer length;
  Writer(length).VariableByteInteger(static_cast<std::uint32_t>(body_size));
  buffer.replace(begin + 1, 1, length);
  return absl::OkStatus();
}

}  // namespace

std::string_view NameOf(PacketType type) { return SpecOf(type).name; }

PacketType TypeOf(const Packet& packet) { return static_cast<PacketType>(packet.index() + 1); }

absl::Status RefusalOf(PacketType type, const Fault& fault) {
  return StatusFrom(fault.code, absl::StrCat(ToAbsl(NameOf(type)), ": ", fault.ToString()));
}

absl::Status CannotEncode(PacketType type, const Fault& fault) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(NameOf(type)), ": ", fault.ToString()));
}

absl::StatusOr<Connect> DecodeConnect(const Frame& frame) {
  const auto type = static_cast<PacketType>(frame.first_byte >> 4);
  if (type != PacketType::kConnect) return RefusalOf(type, {ReasonCode::kProtocolError, {}, "is no CONNECT"});
  const Fault fault = FixedHeaderFault(type, frame.first_byte & 0x0F, Sender::kClient, ProtocolVersion::k5);
  if (fault) return RefusalOf(type, fault);
  absl::StatusOr<Packet> packet = DecodeAs<Connect>(frame, Sender::kClient, ProtocolVersion::k5);
  if (!packet.ok()) return packet.status();
  return std::get<Connect>(*packet);
}

absl::StatusOr<Packet> DecodePacket(const Frame& frame, Sender sender, ProtocolVersion version) {
  const auto type = static_cast<PacketType>(frame.first_byte >> 4);
  const std::uint8_t flags = frame.first_byte & 0x0F;
  if (const Fault fault = FixedHeaderFault(type, flags, sender, version)) return RefusalOf(type, fault);
  switch (type) {
    case PacketType::kConnect: {
      absl::StatusOr<Packet> packet = DecodeAs<Connect>(frame, sender, ProtocolVersion::k5);
      if (!packet.ok() || std::get<Connect>(*packet).version == version) return packet;
      return RefusalOf(type, kOtherVersion);
    }
    case PacketType::kConnAck: return DecodeAs<ConnAck>(frame, sender, version);
    case PacketType::kPublish:
      return DecodeAs<Publish>(frame, version,
                               [=](Reader& in, Publish& packet) { DecodePublishBody(in, flags, sender, packet); });
    case PacketType::kPubAck: return DecodeAs<PubAck>(frame, sender, version);
    case PacketType::kPubRec: return DecodeAs<PubRec>(frame, sender, version);
    case PacketType::kPubRel: return DecodeAs<PubRel>(frame, sender, version);
    case PacketType::kPubComp: return DecodeAs<PubComp>(frame, sender, version);
    case PacketType::kSubscribe: return DecodeAs<Subscribe>(frame, sender, version);
    case PacketType::kSubAck: return DecodeAs<SubAck>(frame, sender, version);
    case PacketType::kUnsubscribe: return DecodeAs<Unsubscribe>(frame, sender, version);
    case PacketType::kUnsubAck: return DecodeAs<UnsubAck>(frame, sender, version);
    case PacketType::kPingReq: return DecodeAs<PingReq>(frame, sender, version);
    case PacketType::kPingResp: return DecodeAs<PingResp>(frame, sender, version);
    case PacketType::kDisconnect: return DecodeAs<Disconnect>(frame, sender, version);
    case PacketType::kAuth: return DecodeAs<Auth>(frame, sender, version);
  }
  return RefusalOf(type, {ReasonCode::kMalformedPacket, {}, "unknown packet type"});
}

absl::Status EncodePacket(const Packet& packet, Sender sender, WireBuffer& out, ProtocolVersion version) {
  if (const auto* publish = std::get_if<Publish>(&packet)) return EncodePublish(*publish, sender, out, version);
  return std::visit(
      [&]<typename P>(const P& each) -> absl::Status {
        if constexpr (std::is_same_v<P, Publish>)
          return absl::OkStatus();  // Done above.
        else
          return EncodeAs(each, TypeOf(packet), sender, out, version);
      },
      packet);
}

}  // namespace mqttrpc::mqtt
