// Small changes to bytes, of the kinds that find holes in parsers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <random>
#include <string>

namespace mqttrpc::test {

inline void Mutate(std::string& bytes, std::minstd_rand& random) {
  static constexpr unsigned char kTelling[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, 0xC0, 0xED, '+', '#', '/', 0x26, 0x23};
  const auto below = [&](std::size_t bound) { return random() % std::max<std::size_t>(bound, 1); };
  const std::size_t at = below(bytes.size());
  switch (random() % 6) {
    case 0:
      if (!bytes.empty()) bytes[at] = static_cast<char>(random());
      break;
    case 1:
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
      break;
    case 2: bytes.insert(at, 1, static_cast<char>(kTelling[below(std::size(kTelling))])); break;
    case 3:
      if (!bytes.empty()) bytes.erase(at, 1 + below(4));
      break;
    case 4: bytes.insert(below(bytes.size() + 1), bytes.substr(at, 1 + below(12))); break;
    default:
      if (bytes.size() > 1) bytes[1] = static_cast<char>(bytes[1] + static_cast<char>(below(5)) - 2);
  }
}

}  // namespace mqttrpc::test
