// The 15 MQTT Control Packets (MQTT 5.0, chapter 3) as plain values.
//
// A decoded packet borrows from the frame it was decoded from: strings, binary
// data and properties point into it. To encode one, let its views point at
// anything that lives until the encoder returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "mqttrpc/mqtt/properties.h"
#include "mqttrpc/mqtt/qos.h"
#include "mqttrpc/mqtt/reason_code.h"
#include "wire.h"

namespace mqttrpc::mqtt {

// The high four bits of a packet's first byte (2.1.2). 0 is reserved.
enum class PacketType : std::uint8_t {
  kConnect = 1,
  kConnAck = 2,
  kPublish = 3,
  kPubAck = 4,
  kPubRec = 5,
  kPubRel = 6,
  kPubComp = 7,
  kSubscribe = 8,
  kSubAck = 9,
  kUnsubscribe = 10,
  kUnsubAck = 11,
  kPingReq = 12,
  kPingResp = 13,
  kDisconnect = 14,
  kAuth = 15,
};

std::string_view NameOf(PacketType type);  // "PUBLISH"

// Which side sent a packet; some packets and properties may travel one way only.
enum class Sender : std::uint8_t { kClient, kServer };

using PacketId = std::uint16_t;  // Never 0 on the wire (2.2.1).

struct Will {
  std::string_view topic_name;
  std::string_view payload;
  QoS qos = QoS::kAtMostOnce;
  bool retain = false;
  PropertiesView properties;
  bool operator==(const Will&) const = default;
};

struct Connect {
  std::string_view client_id;
  bool clean_start = false;
  std::uint16_t keep_alive = 0;  // Seconds.
  std::optional<Will> will;
  std::optional<std::string_view> user_name;
  std::optional<std::string_view> password;
  PropertiesView properties;
  ProtocolVersion version = ProtocolVersion::k5;
  bool operator==(const Connect&) const = default;
};

struct ConnAck {
  bool session_present = false;
  ReasonCode reason_code = ReasonCode::kSuccess;
  PropertiesView properties;
  bool operator==(const ConnAck&) const = default;
};

struct Publish {
  bool dup = false;
  QoS qos = QoS::kAtMostOnce;
  bool retain = false;
  std::string_view topic_name;  // May be empty if a Topic Alias stands for it.
  PacketId packet_id = 0;       // 0 for QoS 0.
  PropertiesView properties;
  std::string_view payload;
  bool operator==(const Publish&) const = default;
};

// PUBACK, PUBREC, PUBREL and PUBCOMP look alike.
template <PacketType kType>
struct PublishResponse {
  PacketId packet_id = 0;
  ReasonCode reason_code = ReasonCode::kSuccess;
  PropertiesView properties;
  bool operator==(const PublishResponse&) const = default;
};
using PubAck = PublishResponse<PacketType::kPubAck>;
using PubRec = PublishResponse<PacketType::kPubRec>;
using PubRel = PublishResponse<PacketType::kPubRel>;
using PubComp = PublishResponse<PacketType::kPubComp>;

struct SubscribeEntry {
  std::string_view topic_filter;
  QoS qos = QoS::kAtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint8_t retain_handling = 0;
  bool operator==(const SubscribeEntry&) const = default;
};

struct Subscribe {
  PacketId packet_id = 0;
  PropertiesView properties;
  std::vector<SubscribeEntry> entries;  // At least one.
  bool operator==(const Subscribe&) const = default;
};

struct SubAck {
  PacketId packet_id = 0;
  PropertiesView properties;
  std::vector<ReasonCode> reason_codes;
  bool operator==(const SubAck&) const = default;
};

struct Unsubscribe {
  PacketId packet_id = 0;
  PropertiesView properties;
  std::vector<std::string_view> topic_filters;  // At least one.
  bool operator==(const Unsubscribe&) const = default;
};

struct UnsubAck {
  PacketId packet_id = 0;
  PropertiesView properties;
  std::vector<ReasonCode> reason_codes;
  bool operator==(const UnsubAck&) const = default;
};

struct PingReq {
  bool operator==(const PingReq&) const = default;
};

struct PingResp {
  bool operator==(const PingResp&) const = default;
};

struct Disconnect {
  ReasonCode reason_code = ReasonCode::kNormalDisconnection;
  PropertiesView properties;
  bool operator==(const Disconnect&) const = default;
};

struct Auth {
  ReasonCode reason_code = ReasonCode::kSuccess;
  PropertiesView properties;
  bool operator==(const Auth&) const = default;
};

using Packet = std::variant<Connect, ConnAck, Publish, PubAck, PubRec, PubRel, PubComp, Subscribe, SubAck, Unsubscribe,
                            UnsubAck, PingReq, PingResp, Disconnect, Auth>;

PacketType TypeOf(const Packet& packet);

// One whole packet as it came: the first byte and what follows Remaining Length.
struct Frame {
  std::uint8_t first_byte = 0;
  std::span<const std::byte> body;
};

// Decodes one packet that `sender` sent. Nothing is copied. Errors carry the
// Reason Code for the answer:
//   0x81 malformed: bytes missing or left over, bad flags, ill-formed strings,
//        reserved bits, a property that never stands in such a packet (2.2.2.2)
//   0x82 protocol error: a packet, property or Reason Code that this side may not
//        send, or not twice; a value that is not allowed; an empty list
//   0x84 a CONNECT of another version      0x94 Topic Alias 0
//   0x90, 0x8F a Topic Name, a Topic Filter against the rules of topic.h
//
// `version` is what the connection's CONNECT said. A packet of MQTT 3 has no
// properties; its return codes become the Reason Codes that mean the same. A CONNECT
// names its version itself, and is taken here if it is `version`.
absl::StatusOr<Packet> DecodePacket(const Frame& frame, Sender sender, ProtocolVersion version = ProtocolVersion::k5);

// Decodes a CONNECT of any of the three versions. Errors as DecodePacket; 0x82 for
// another packet.
absl::StatusOr<Connect> DecodeConnect(const Frame& frame);

// Appends `packet` to `out`, in its shortest form. Takes what DecodePacket takes
// and nothing else. On an error - a string over 65,535 bytes, ill-formed
// UTF-8, a property the packet may not carry, a Packet Identifier of 0, a packet
// over 268,435,455 bytes - kInvalidArgument, and `out` is as it was.
//
// Towards MQTT 3, properties are left out and Reason Codes become what it has
// for them; what it has nothing for, a server's DISCONNECT say, or a client's that
// wants its will sent, is an error. A CONNECT is written in its own version.
absl::Status EncodePacket(const Packet& packet, Sender sender, WireBuffer& out,
                          ProtocolVersion version = ProtocolVersion::k5);

// CONNACK's return code in MQTT 3 (3.1.1: 3.2.2.3), 0-5, for a Reason Code.
std::uint8_t ConnAckReturnCode(ReasonCode code);

// The same for the packets of the hot path, without a variant. EncodePubAck
// expects what may stand in a PUBACK and checks nothing.
absl::Status EncodePublish(const Publish& publish, Sender sender, WireBuffer& out,
                           ProtocolVersion version = ProtocolVersion::k5);
void EncodePubAck(PacketId packet_id, ReasonCode reason_code, WireBuffer& out,
                  ProtocolVersion version = ProtocolVersion::k5);

}  // namespace mqttrpc::mqtt
