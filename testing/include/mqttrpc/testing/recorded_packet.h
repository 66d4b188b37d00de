// A copy of one packet that travelled between a client and the broker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/properties.h"
#include "mqttrpc/mqtt/qos.h"
#include "mqttrpc/mqtt/reason_code.h"

namespace mqttrpc::testing {

// The control packets of MQTT; the values are those on the wire (MQTT 2.1.2).
enum class PacketKind : std::uint8_t {
  kUnreadable = 0,  // Bytes that are no MQTT packet.
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

// Its name in the specification, e.g. "PUBLISH"; "unreadable bytes". Static.
std::string_view NameOf(PacketKind kind);
// The same, for GoogleTest's messages.
std::ostream& operator<<(std::ostream& out, PacketKind kind);

// Which way a packet went, seen from the network between.
enum class Direction : std::uint8_t { kToBroker, kToClient };

// What a packet says. Members that its kind does not have keep their defaults.
struct RecordedPacket {
  RecordedPacket() = default;

  // Where and when.
  std::string client;            // The name the world knows the client by.
  std::uint64_t connection = 0;  // Which of all connections, from 1.
  Direction direction = Direction::kToBroker;
  mqtt::Duration time{};  // Since the world's begin, when it was sent.
  // What the faults did to it: "dropped", "duplicate", "held 2s", ...; empty: nothing.
  std::string fault;

  PacketKind kind = PacketKind::kUnreadable;
  // Not decodable although whole: only `kind` and `bytes` tell of it.
  bool malformed = false;

  // The connection's, as its CONNECT said: 5, 4 (MQTT 3.1.1) or 3 (MQTT 3.1). Packets of
  // MQTT 3 have no properties; their return codes are told as the Reason Codes that
  // mean the same.
  std::uint8_t protocol_version = 5;

  // 0 for kinds that have none, and for PUBLISH of QoS 0.
  std::uint16_t packet_id = 0;

  // PUBLISH:
  mqtt::QoS qos = mqtt::QoS::kAtMostOnce;
  bool dup = false;
  bool retain = false;
  std::string topic_name;      // Also where a Topic Alias stands for it ...
  bool topic_omitted = false;  // ... and it was not sent. ReadPacket() leaves it empty then.
  std::string payload;

  // SUBSCRIBE, UNSUBSCRIBE. `qos` above is the highest asked for.
  std::vector<std::string> topic_filters;

  // CONNECT. A Will has topic_name, payload, qos and retain above.
  std::string client_id;
  bool clean_start = false;
  bool has_will = false;
  std::uint16_t keep_alive = 0;  // Seconds.

  // CONNACK. What the broker grants is in `properties`.
  bool session_present = false;

  // CONNACK, acknowledgements, DISCONNECT, AUTH; SUBACK and UNSUBACK have several.
  mqtt::ReasonCode reason = mqtt::ReasonCode::kSuccess;
  std::vector<mqtt::ReasonCode> reasons;

  mqtt::Properties properties;  // Not those of a Will.

  std::string bytes;  // As sent.
};

// One line: "12.000s lamp-42 > PUBLISH id=1 qos=1 topic=a/b payload="21.5"". ">" is
// towards the broker. Long payloads are cut, and what is not ASCII is escaped.
std::string ToString(const RecordedPacket& packet);
// The same, for GoogleTest's messages.
std::ostream& operator<<(std::ostream& out, const RecordedPacket& packet);

// Reads `bytes`, one whole packet that went in `direction` on a connection of
// `protocol_version`, which a CONNECT says itself. Never fails: what cannot be read is
// `malformed`.
RecordedPacket ReadPacket(std::string_view bytes, Direction direction, std::uint8_t protocol_version = 5);

}  // namespace mqttrpc::testing
