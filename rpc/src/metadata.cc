#include "mqttrpc/rpc/metadata.h"

#include <absl/strings/str_cat.h>

#include "metadata_wire.h"
#include "mqttrpc/mqtt/status.h"
#include "text.h"

namespace mqttrpc {
namespace {

constexpr std::size_t kMaximumBytes = 65'535;  // Of an MQTT string (MQTT 1.5.4).

constexpr char kControl[] = " has a control character or noncharacter, over which a broker may end the connection";

absl::Status CheckEntry(std::string_view key, std::string_view value) {
  if (key.empty()) return absl::InvalidArgumentError("metadata: a key is empty");
  if (key.size() > kMaximumBytes) {
    return absl::InvalidArgumentError(absl::StrCat("metadata: a key has ", key.size(), " bytes; at most 65535 fit"));
  }
  if (!IsUtf8(key)) return absl::InvalidArgumentError(absl::StrCat("metadata: key ", Quoted(key), " is not UTF-8"));
  if (key.starts_with(kReservedPrefix)) {
    return absl::InvalidArgumentError(absl::StrCat("metadata: key ", Quoted(key), " begins with rpc-, which is ours"));
  }
  if (!IsWireText(key)) return absl::InvalidArgumentError(absl::StrCat("metadata: key ", Quoted(key), kControl));
  const bool binary = key.ends_with(kBinarySuffix);
  const std::size_t size = binary ? (value.size() + 2) / 3 * 4 : value.size();
  if (size > kMaximumBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata: the value of ", Quoted(key), " takes ", size, " bytes; at most 65535 fit"));
  }
  if (!binary && !IsUtf8(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata: the value of ", Quoted(key), " is not UTF-8; a key that ends in -bin takes any bytes"));
  }
  if (!binary && !IsWireText(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata: the value of ", Quoted(key), kControl, "; a key that ends in -bin takes any bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string_view> Metadata::Get(std::string_view key) const {
  for (const auto& [each, value] : entries_) {
    if (each == key) return value;
  }
  return std::nullopt;
}

void Metadata::Set(std::string_view key, std::string_view value) {
  std::string own(value);  // It may be one of ours.
  std::string own_key(key);
  Remove(own_key);
  entries_.emplace_back(std::move(own_key), std::move(own));
}

void Metadata::Remove(std::string_view key) {
  const std::string own_key(key);
  std::erase_if(entries_, [&own_key](const auto& entry) { return entry.first == own_key; });
}

absl::Status Metadata::Check() const {
  for (const auto& [key, value] : entries_) {
    if (absl::Status status = CheckEntry(key, value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace mqttrpc
