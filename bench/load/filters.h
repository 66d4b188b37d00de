// Topic Filters of a fleet, of which each message matches exactly one.
#pragma once

#include <cstddef>
#include <string>

namespace bench {

enum class FilterKind { kExact, kPlus, kHash };

// The exact one is also the Topic Name that the others of the same number are for.
inline std::string FilterOf(FilterKind kind, std::size_t number) {
  constexpr std::size_t kDevicesOfASite = 1000;
  const std::string site = "site/" + std::to_string(number / kDevicesOfASite);
  const std::string device = "/" + std::to_string(number % kDevicesOfASite);
  switch (kind) {
    case FilterKind::kPlus: return site + "/+" + device + "/state";
    case FilterKind::kHash: return site + "/device" + device + "/#";
    case FilterKind::kExact: break;
  }
  return site + "/device" + device + "/state";
}

// The next of `count` in an order that jumps about: a prime, so that all have their turn.
inline std::size_t JumpFrom(std::size_t step, std::size_t count) { return step * 7'919 % count; }

}  // namespace bench
