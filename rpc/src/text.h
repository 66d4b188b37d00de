// Text that comes from users and peers: UTF-8, numbers, log lines.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mqttrpc {

// Whether MQTT can carry `text` as a string, its length aside: well-formed UTF-8
// without U+0000 (MQTT-1.5.4-1, MQTT-1.5.4-2).
bool IsUtf8(std::string_view text);

// `text` with a `?` for each byte that is not such UTF-8, cut before the
// character that would pass `maximum` bytes.
std::string CleanUtf8(std::string_view text, std::size_t maximum);

// The same for an MQTT string: with a space for each character over which a receiver may
// close the connection: control characters and noncharacters (MQTT 1.5.4).
std::string WireText(std::string_view text, std::size_t maximum);

// Whether UTF-8 has none of those characters.
bool IsWireText(std::string_view text);

// For log lines: quotes, line ends and control characters of a peer's text
// escaped, cut at 200 bytes.
std::string Quoted(std::string_view text);

// The whole of `text` as a decimal number; empty if it is anything else.
template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace mqttrpc
