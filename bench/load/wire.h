// As much of MQTT 5 as the load needs, read and written with as little work as it
// takes: what is measured is the broker. Checks nothing that a broker owes anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bench {

// The high four bits of a packet's first byte (MQTT 2.1.2).
enum class Type : std::uint8_t {
  kConnAck = 2,
  kPublish = 3,
  kPubAck = 4,
  kPubRec = 5,
  kPubRel = 6,
  kPubComp = 7,
  kSubAck = 9,
  kDisconnect = 14,
};

// A packet, or its beginning.
struct Packet {
  std::uint8_t first_byte = 0;
  std::string_view body;

  Type type() const { return static_cast<Type>(first_byte >> 4); }
};

// How long the packet is that `bytes` begin with; 0: too few bytes to tell.
std::size_t PacketSize(std::string_view bytes);
Packet ReadPacket(std::string_view bytes);

// A PUBLISH as it came. Points into its packet.
struct Arrival {
  std::uint8_t qos = 0;
  std::uint16_t packet_id = 0;
  std::string_view topic_name;
  std::string_view properties;
  std::string_view payload;
};

Arrival ReadPublish(const Packet& packet);

// The values of PUBLISH properties; empty if there is none (3.3.2.3).
struct RequestProperties {
  std::string_view response_topic;
  std::string_view correlation_data;
};
RequestProperties ReadRequestProperties(std::string_view properties);
void AppendRequestProperties(std::string& out, const RequestProperties& properties);

void AppendU16(std::string& out, std::uint16_t value);
std::uint16_t ReadU16(std::string_view bytes);

// Clean Start, no Keep Alive, no properties.
void AppendConnect(std::string& out, std::string_view client_id);

void AppendSubscribe(std::string& out, std::uint16_t packet_id, std::span<const std::string> topic_filters,
                     std::uint8_t qos);

struct PublishFields {
  std::string_view topic_name;
  std::string_view properties = {};  // Encoded, without their length.
  std::string_view payload;
  std::uint8_t qos = 0;
  bool retain = false;
};
void AppendPublish(std::string& out, const PublishFields& publish, std::uint16_t packet_id);

// PUBACK, PUBREC, PUBREL or PUBCOMP with success.
void AppendAcknowledgement(std::string& out, Type type, std::uint16_t packet_id);

}  // namespace bench
