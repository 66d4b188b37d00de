#include "text.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc {
namespace {

// How many bytes the character at the front of `text` takes; 0 if it is ill-formed.
// The table of well-formed byte sequences: Unicode 15, 3.9, table 3-7.
std::size_t CharacterSize(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t from, std::size_t size) {
    if (text.size() < size) return false;
    for (std::size_t i = from; i < size; ++i) {
      if ((byte(i) & 0xC0) != 0x80) return false;
    }
    return true;
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return first == 0 ? 0 : 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1, 2) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!continues(1, 3)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;  // Longer than needed.
    if (first == 0xED && byte(1) > 0x9F) return 0;  // A surrogate.
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!continues(1, 4)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;  // Above U+10FFFF.
    return 4;
  }
  return 0;
}

// Whether a receiver may refuse that character, which is well-formed.
bool IsRefusable(std::string_view character) {
  const auto byte = [character](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  switch (character.size()) {
    case 1: return byte(0) < 0x20 || byte(0) == 0x7F;
    case 2: return byte(0) == 0xC2 && byte(1) < 0xA0;  // U+0080 to U+009F.
    case 3:
      if (byte(0) != 0xEF) return false;
      if (byte(1) == 0xB7) return byte(2) >= 0x90 && byte(2) <= 0xAF;                // U+FDD0 to U+FDEF.
      return byte(1) == 0xBF && byte(2) >= 0xBE;                                     // U+FFFE, U+FFFF.
    default: return (byte(1) & 0x0F) == 0x0F && byte(2) == 0xBF && byte(3) >= 0xBE;  // U+1FFFE and so on.
  }
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = CharacterSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string CleanUtf8(std::string_view text, std::size_t maximum) {
  std::string clean;
  clean.reserve(text.size() < maximum ? text.size() : maximum);
  while (!text.empty()) {
    const std::size_t size = CharacterSize(text);
    const std::string_view character = size == 0 ? std::string_view("?") : text.substr(0, size);
    if (clean.size() + character.size() > maximum) break;
    clean.append(character);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return clean;
}

bool IsWireText(std::string_view text) {
  while (!text.empty()) {
    const std::string_view character = text.substr(0, CharacterSize(text));
    if (IsRefusable(character)) return false;
    text.remove_prefix(character.size());
  }
  return true;
}

std::string WireText(std::string_view text, std::size_t maximum) {
  const std::string clean = CleanUtf8(text, maximum);
  std::string wire;
  wire.reserve(clean.size());
  for (std::string_view rest = clean; !rest.empty();) {
    const std::string_view character = rest.substr(0, CharacterSize(rest));
    wire.append(IsRefusable(character) ? " " : character);
    rest.remove_prefix(character.size());
  }
  return wire;
}

std::string Quoted(std::string_view text) {
  constexpr std::size_t kMaximum = 200;
  return absl::StrCat("\"", absl::CHexEscape(mqtt::ToAbsl(text.substr(0, kMaximum))),
                      text.size() > kMaximum ? "...\"" : "\"");
}

}  // namespace mqttrpc
