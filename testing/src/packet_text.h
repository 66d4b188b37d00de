// Packets as bytes and as text: what recorder and wire share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mqttrpc/mqtt/properties.h"

namespace mqttrpc::testing {

// How many bytes the fixed header of the whole packet `bytes` takes; 0 if it is none.
std::size_t HeaderSize(std::string_view bytes);

// How long the first packet in `bytes` is; 0 if it is not whole yet; npos if these
// bytes can never become one: a Remaining Length of more than four bytes.
std::size_t FirstPacketSize(std::string_view bytes);

// "message_expiry_interval=60", "user.colour=red".
std::string PropertyText(const mqtt::PropertyView& property);

// "2s", "1.5s".
std::string SecondsText(double seconds);

}  // namespace mqttrpc::testing
