// Packets that every decoder must take, and packets that every decoder must refuse.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "packets.h"

namespace mqttrpc::test {

struct ValidPacket {
  std::string name;
  mqtt::Sender sender;
  std::string bytes;
  mqtt::Packet packet;  // What `bytes` mean. Borrows from static text.

  // Not in the form that the encoder writes: encoding gives other bytes, not more.
  bool shortest = true;

  // Lengths of shorter bodies that mean a packet too. PUBLISH: the whole payload
  // may go, that is not listed.
  std::vector<std::size_t> shorter_bodies;

  // Whether the body may grow by a byte of 0x00. PUBLISH takes any byte.
  bool zero_may_follow = false;

  mqtt::ProtocolVersion version = mqtt::ProtocolVersion::k5;
};

struct MalformedPacket {
  std::string name;  // What is wrong with it.
  mqtt::Sender sender;
  std::string bytes;  // The first packet in it is the bad one.
  mqtt::ReasonCode reason_code;
  mqtt::ProtocolVersion version = mqtt::ProtocolVersion::k5;
};

// Each packet type, bare and with everything in it, and what is special in each.
const std::vector<ValidPacket>& ValidPackets();

// The same in MQTT 3.1.1 and in 3.1.
const std::vector<ValidPacket>& ValidVersion3Packets();

// One of each kind of mistake, made by hand.
const std::vector<MalformedPacket>& HandMadeMalformedPackets();

// Every mistake with properties: each of the 27 in each packet where it may not
// stand, twice where it may stand once, with each value it may not have.
std::vector<MalformedPacket> MalformedProperties();

// Every packet type with every set of flags but the right one, and type 0.
std::vector<MalformedPacket> MalformedFlags();

// The three above together. What a client cannot have sent (Sender::kServer) is
// for tests of a client. Packets other than CONNECT are bad after a good CONNECT.
std::vector<MalformedPacket> MalformedPackets();

// What is wrong in MQTT 3.1.1 or 3.1, though perhaps right in 5.0.
const std::vector<MalformedPacket>& MalformedVersion3Packets();

// The body of a whole packet, and a packet made of a first byte and a body.
std::string BodyOf(const std::string& packet_bytes);
std::string PacketFrom(char first_byte, const std::string& body);

// The packet with its body cut to `body_size` bytes, and with one byte more.
std::string Truncated(const ValidPacket& packet, std::size_t body_size);
std::string Extended(const ValidPacket& packet, char byte);

// Whether Truncated(packet, body_size) is a packet again.
bool IsPacketAgain(const ValidPacket& packet, std::size_t body_size);

}  // namespace mqttrpc::test
