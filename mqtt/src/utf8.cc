#include <cstring>

#include "wire.h"

namespace mqttrpc::mqtt {
namespace {

constexpr std::uint64_t kEveryByte = 0x0101010101010101;
constexpr std::uint64_t kEveryHighBit = kEveryByte << 7;

// How many bytes at the start of `text`, in steps of eight, are ASCII without NUL.
std::size_t AsciiPrefix(std::string_view text) {
  std::size_t done = 0;
  for (; done + 8 <= text.size(); done += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, text.data() + done, sizeof eight);
    // The subtraction borrows into a byte's high bit only from a byte that is 0.
    if (((eight | (eight - kEveryByte)) & kEveryHighBit) != 0) break;
  }
  return done;
}

// The length of the character that begins with `lead`, and the range of its
// second byte, which rules out overlong forms, surrogates and what lies above
// U+10FFFF (Unicode, table 3-7). Length 0: no character begins so.
struct Sequence {
  std::size_t size;
  unsigned char second_low;
  unsigned char second_high;
};

Sequence SequenceOf(unsigned char lead) {
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};  // Surrogates begin at ED A0: MQTT-1.5.4-1
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  text.remove_prefix(AsciiPrefix(text));
  while (!text.empty()) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x80) {
      if (byte(0) == 0) return false;  // MQTT-1.5.4-2
      text.remove_prefix(1);
      continue;
    }
    const Sequence sequence = SequenceOf(byte(0));
    if (sequence.size == 0 || sequence.size > text.size()) return false;
    if (byte(1) < sequence.second_low || byte(1) > sequence.second_high) return false;
    for (std::size_t i = 2; i < sequence.size; ++i) {
      if (byte(i) < 0x80 || byte(i) > 0xBF) return false;
    }
    text.remove_prefix(sequence.size);
  }
  return true;
}

}  // namespace mqttrpc::mqtt
