// CRC-32C (Castagnoli), which guards messages that travel in fragments.
#pragma once

#include <cstdint>
#include <string_view>

namespace mqttrpc {

// Of some bytes and what stood before them: begin with `before` 0. RFC 3720, appendix B.4,
// has examples.
std::uint32_t Crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace mqttrpc
