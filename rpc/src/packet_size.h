// How large messages are on the wire.
#pragma once

#include <cstddef>

#include "mqttrpc/mqtt/message.h"

namespace mqttrpc {

// What a PUBLISH of it takes, rounded up: fixed header, lengths, packet identifier.
inline std::size_t PacketSize(const mqtt::Message& message) {
  constexpr std::size_t kOverhead = 16;
  return message.topic_name.size() + message.properties.view().size_bytes() + message.payload.size() + kOverhead;
}

// Every side takes a packet of so many bytes, whatever else it says.
inline constexpr std::size_t kLeastPacket = 1024;

// The payload that fits into a packet of `packet` bytes with frames whose topics and other
// texts have `texts` bytes. At least a little: a peer that takes less cannot be served.
inline std::size_t FragmentRoom(std::size_t packet, std::size_t texts) {
  constexpr std::size_t kProperties = 160;  // Frame, length, checksum, expiry; and the fixed header.
  constexpr std::size_t kLeast = 64;
  return packet > texts + kProperties + kLeast ? packet - texts - kProperties : kLeast;
}

}  // namespace mqttrpc
