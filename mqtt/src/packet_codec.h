// What the packet_*.cc files share: a decoder and an encoder for each packet's
// body, which is all behind Remaining Length.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "packets.h"
#include "property_table.h"
#include "topic_rules.h"
#include "wire.h"

namespace mqttrpc::mqtt {

// 3.1.2.2 (MQTT-3.1.2-1, MQTT-3.1.2-2).
inline constexpr Fault kOtherVersion = {ReasonCode::kUnsupportedProtocolVersion, "protocol", "is another version"};

// For what MQTT 3 has no packet or no form.
inline constexpr Fault kNotInMqtt3 = {ReasonCode::kProtocolError, {}, "does not exist in MQTT 3"};

// Fill `packet` from the body. Failures stay in `in`. What follows the last field
// is left unread: the caller refuses it.
void DecodeBody(Reader& in, Sender sender, Connect& packet);
void DecodeBody(Reader& in, Sender sender, ConnAck& packet);
void DecodeBody(Reader& in, Sender sender, PubAck& packet);
void DecodeBody(Reader& in, Sender sender, PubRec& packet);
void DecodeBody(Reader& in, Sender sender, PubRel& packet);
void DecodeBody(Reader& in, Sender sender, PubComp& packet);
void DecodeBody(Reader& in, Sender sender, Subscribe& packet);
void DecodeBody(Reader& in, Sender sender, SubAck& packet);
void DecodeBody(Reader& in, Sender sender, Unsubscribe& packet);
void DecodeBody(Reader& in, Sender sender, UnsubAck& packet);
void DecodeBody(Reader& in, Sender sender, PingReq& packet);
void DecodeBody(Reader& in, Sender sender, PingResp& packet);
void DecodeBody(Reader& in, Sender sender, Disconnect& packet);
void DecodeBody(Reader& in, Sender sender, Auth& packet);

// PUBLISH alone has flags that mean something.
void DecodePublishBody(Reader& in, std::uint8_t flags, Sender sender, Publish& packet);

// Append the body. Failures stay in `out`.
void EncodeBody(const Connect& packet, Sender sender, Writer& out);
void EncodeBody(const ConnAck& packet, Sender sender, Writer& out);
void EncodeBody(const PubAck& packet, Sender sender, Writer& out);
void EncodeBody(const PubRec& packet, Sender sender, Writer& out);
void EncodeBody(const PubRel& packet, Sender sender, Writer& out);
void EncodeBody(const PubComp& packet, Sender sender, Writer& out);
void EncodeBody(const Subscribe& packet, Sender sender, Writer& out);
void EncodeBody(const SubAck& packet, Sender sender, Writer& out);
void EncodeBody(const Unsubscribe& packet, Sender sender, Writer& out);
void EncodeBody(const UnsubAck& packet, Sender sender, Writer& out);
void EncodeBody(const PingReq& packet, Sender sender, Writer& out);
void EncodeBody(const PingResp& packet, Sender sender, Writer& out);
void EncodeBody(const Disconnect& packet, Sender sender, Writer& out);
void EncodeBody(const Auth& packet, Sender sender, Writer& out);

// Whether `packet_id` may stand on the wire (2.2.1).
inline Fault PacketIdFault(PacketId packet_id) {
  return packet_id != 0 ? Fault() : Fault{ReasonCode::kProtocolError, "Packet Identifier", "is 0"};
}

// Whether `code` is in the packet's table of Reason Codes, for that sender.
Fault ReasonCodeFault(ReasonCode code, PacketType type, Sender sender);

// "PUBLISH: Topic Alias is 0", with the Reason Code.
absl::Status RefusalOf(PacketType type, const Fault& fault);
// The same text as kInvalidArgument: what was to be encoded was wrong.
absl::Status CannotEncode(PacketType type, const Fault& fault);

}  // namespace mqttrpc::mqtt
