// The quick way over properties that lie in memory, for loops that meet thousands a second.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "property_table.h"

namespace mqttrpc::mqtt {

// The WireType of each identifier of one byte; kNoWireType for bytes that are none.
inline constexpr std::uint8_t kNoWireType = 0xFF;
extern const std::array<std::uint8_t, 256> kWireTypes;

// TakeProperty() for what is nearly always met: identifier and numbers of one byte, all of
// it there. False if only that can say what it is, with `rest` as it was. Inline, so that
// a search pays for no field it does not look at: reading, checking and searching
// properties was a fifth of a call's work.
inline bool TakeSimpleProperty(std::string_view& rest, PropertyView& property) {
  const char* const data = rest.data();
  const std::size_t left = rest.size();
  const auto byte = [data](std::size_t i) { return std::uint32_t{static_cast<std::uint8_t>(data[i])}; };
  const auto u16 = [&](std::size_t i) { return byte(i) << 8 | byte(i + 1); };
  if (left < 2) return false;
  std::size_t size = 0;
  std::uint32_t number = 0;
  std::string_view text;
  std::string_view value;
  switch (kWireTypes[byte(0)]) {
    case static_cast<std::uint8_t>(WireType::kByte):
      size = 2;
      number = byte(1);
      break;
    case static_cast<std::uint8_t>(WireType::kTwoBytes):
      size = 3;
      if (size > left) return false;
      number = u16(1);
      break;
    case static_cast<std::uint8_t>(WireType::kFourBytes):
      size = 5;
      if (size > left) return false;
      number = u16(1) << 16 | u16(3);
      break;
    case static_cast<std::uint8_t>(WireType::kVariable):
      size = 2;
      number = byte(1);
      if (number >= 0x80) return false;
      break;
    case static_cast<std::uint8_t>(WireType::kString):
    case static_cast<std::uint8_t>(WireType::kBinary):
      if (left < 3) return false;
      size = 3 + u16(1);
      if (size > left) return false;
      text = {data + 3, size - 3};
      break;
    case static_cast<std::uint8_t>(WireType::kStringPair): {
      if (left < 3) return false;
      const std::size_t middle = 3 + u16(1);
      if (middle + 2 > left) return false;
      size = middle + 2 + u16(middle);
      if (size > left) return false;
      text = {data + 3, middle - 3};
      value = {data + middle + 2, size - middle - 2};
      break;
    }
    default: return false;
  }
  property = {static_cast<PropertyId>(data[0]), number, text, value};
  rest = {data + size, left - size};
  return true;
}

}  // namespace mqttrpc::mqtt
