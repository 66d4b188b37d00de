// What must hold for any bytes at all: the heart of the fuzz targets, and of the
// seeded mutation test of the normal suite.
#pragma once

#include <string>
#include <string_view>

#include "packets.h"

namespace mqttrpc::test {

// Reads `stream` as `sender` sent it in `version`: cuts it into frames, whole and in
// pieces, and decodes each; what is taken is encoded and decoded again. Returns what went
// against the promises of packets.h and frame_buffer.h; empty if nothing did.
std::string JudgeStream(std::string_view stream, mqtt::Sender sender,
                        mqtt::ProtocolVersion version = mqtt::ProtocolVersion::k5);

}  // namespace mqttrpc::test
