// The rules of Topic Names and Topic Filters (MQTT 4.7, 4.8).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <absl/status/status.h>

namespace mqttrpc::mqtt {

// More levels than this are refused in names and filters, so that a hostile
// topic cannot make matching slow. Not a limit of the specification.
inline constexpr std::size_t kMaximumTopicLevels = 256;

// OkStatus, or kInvalidArgument with Reason Code 0x90: empty, over 65,535
// bytes, a wildcard, a NUL, ill-formed UTF-8, or too many levels.
absl::Status CheckTopicName(std::string_view topic_name);

// OkStatus, or kInvalidArgument with Reason Code 0x8F. Takes $share filters too.
absl::Status CheckTopicFilter(std::string_view topic_filter);

// `$share/{share_name}/{topic_filter}` taken apart (MQTT 4.8.2). Borrows.
struct SharedFilter {
  std::string_view share_name;
  std::string_view topic_filter;
};

// Empty if `topic_filter` does not begin with `$share/`. Expects a checked filter.
std::optional<SharedFilter> ParseSharedFilter(std::string_view topic_filter);

bool HasWildcard(std::string_view topic_filter);

// Whether a message published to `topic_name` is for `topic_filter`, which is
// checked and not shared. `$`-topics never match a leading wildcard (MQTT-4.7.2-1).
bool Matches(std::string_view topic_filter, std::string_view topic_name);

}  // namespace mqttrpc::mqtt
