#include "checksum.h"

#include <algorithm>

#include <isa-l/crc.h>

namespace mqttrpc {

std::uint32_t Crc32c(std::string_view bytes, std::uint32_t before) {
  constexpr std::size_t kAtOnce = std::size_t{1} << 30;  // The library counts in int.
  std::uint32_t crc = ~before;
  while (!bytes.empty()) {
    const std::string_view some = bytes.substr(0, kAtOnce);
    // It reads only, whatever its signature says.
    auto* begin = reinterpret_cast<unsigned char*>(const_cast<char*>(some.data()));
    crc = crc32_iscsi(begin, static_cast<int>(some.size()), crc);
    bytes.remove_prefix(some.size());
  }
  return ~crc;
}

}  // namespace mqttrpc
