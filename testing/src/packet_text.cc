#include "packet_text.h"

#include <algorithm>
#include <cctype>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "property_table.h"

namespace mqttrpc::testing {

std::size_t FirstPacketSize(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = 1; i <= 4; ++i) {
    if (i >= bytes.size()) return 0;
    const auto byte = static_cast<unsigned char>(bytes[i]);
    length |= static_cast<std::size_t>(byte & 0x7F) << (7 * (i - 1));
    if ((byte & 0x80) != 0) continue;
    return bytes.size() >= 1 + i + length ? 1 + i + length : 0;
  }
  return std::string_view::npos;
}

std::size_t HeaderSize(std::string_view bytes) {
  if (FirstPacketSize(bytes) != bytes.size() || bytes.empty()) return 0;
  std::size_t size = 2;
  while ((static_cast<unsigned char>(bytes[size - 1]) & 0x80) != 0) ++size;
  return size;
}

std::string PropertyText(const mqtt::PropertyView& property) {
  const auto escaped = [](std::string_view text) { return absl::CHexEscape(mqtt::ToAbsl(text)); };
  if (property.id == mqtt::PropertyId::kUserProperty) {
    return absl::StrCat("user.", escaped(property.text), "=", escaped(property.value));
  }
  const mqtt::PropertySpec* spec = mqtt::FindPropertySpec(static_cast<std::uint32_t>(property.id));
  if (spec == nullptr) return "property?";
  std::string text(spec->name);
  for (char& each : text) each = each == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
  const bool is_text = spec->type == mqtt::WireType::kString || spec->type == mqtt::WireType::kBinary;
  if (is_text) return absl::StrCat(text, "=", escaped(property.text));
  return absl::StrCat(text, "=", property.number);
}

std::string SecondsText(double seconds) { return absl::StrCat(seconds, "s"); }

}  // namespace mqttrpc::testing
