#include "mqttrpc/mqtt/topic.h"

#include <algorithm>

#include "mqttrpc/mqtt/status.h"
#include "topic_rules.h"

namespace mqttrpc::mqtt {
namespace {

constexpr std::string_view kSharePrefix = "$share/";

bool IsWildcard(char c) { return c == '+' || c == '#'; }

// Removes the first level and the separator behind it from `rest`; `more` tells
// whether there was a separator.
std::string_view TakeLevel(std::string_view& rest, bool& more) {
  const std::size_t slash = rest.find('/');
  more = slash != std::string_view::npos;
  const std::string_view level = rest.substr(0, slash);
  rest.remove_prefix(more ? slash + 1 : rest.size());
  return level;
}

Fault NameFault(std::string_view problem) { return {ReasonCode::kTopicNameInvalid, "Topic Name", problem}; }
Fault FilterFault(std::string_view problem) { return {ReasonCode::kTopicFilterInvalid, "Topic Filter", problem}; }

// A Topic Filter without `$share/{ShareName}/`.
Fault PlainFilterFault(std::string_view rest) {
  if (rest.empty()) return FilterFault("is empty");  // MQTT-4.7.3-1
  std::size_t levels = 0;
  for (bool more = true; more;) {
    if (++levels > kMaximumTopicLevels) return FilterFault("has more than 256 levels");
    const std::string_view level = TakeLevel(rest, more);
    if (level == "+" || (level == "#" && !more)) continue;
    if (level.find('#') != std::string_view::npos) return FilterFault("has a '#' before its end");  // MQTT-4.7.1-1
    if (level.find('+') != std::string_view::npos) return FilterFault("has a '+' beside other characters");  // -2
  }
  return {};
}

// The checks that the codec makes while it reads a string.
template <typename MakeFault>
Fault TextFault(std::string_view text, MakeFault&& fault) {
  if (text.size() > kMaximumStringBytes) return fault("is longer than 65,535 bytes");  // MQTT-4.7.3-3
  if (!IsValidUtf8(text)) return fault("is not well-formed UTF-8");                    // MQTT-4.7.3-2
  return {};
}

absl::Status ToStatus(const Fault& fault) {
  return fault ? StatusFrom(fault.code, fault.ToString()) : absl::OkStatus();
}

}  // namespace

Fault TopicNameFault(std::string_view topic_name) {
  if (topic_name.empty()) return NameFault("is empty");  // MQTT-4.7.3-1
  constexpr auto kNone = std::string_view::npos;
  if (topic_name.find('+') != kNone || topic_name.find('#') != kNone) {  // Each one a memchr().
    return NameFault("has a wildcard");                                  // MQTT-3.3.2-2, MQTT-4.7.0-1
  }
  if (topic_name.size() < kMaximumTopicLevels) return {};
  const auto slashes = static_cast<std::size_t>(std::count(topic_name.begin(), topic_name.end(), '/'));
  return slashes >= kMaximumTopicLevels ? NameFault("has more than 256 levels") : Fault();
}

Fault TopicFilterFault(std::string_view topic_filter) {
  if (!topic_filter.starts_with(kSharePrefix)) return PlainFilterFault(topic_filter);
  std::string_view rest = topic_filter.substr(kSharePrefix.size());
  bool more = false;
  const std::string_view share_name = TakeLevel(rest, more);
  if (share_name.empty()) return FilterFault("has an empty ShareName");  // MQTT-4.8.2-1
  if (std::any_of(share_name.begin(), share_name.end(), IsWildcard)) {
    return FilterFault("has a ShareName with a wildcard");  // MQTT-4.8.2-2
  }
  if (!more) return FilterFault("has nothing behind its ShareName");  // MQTT-4.8.2-2
  return PlainFilterFault(rest);
}

absl::Status CheckTopicName(std::string_view topic_name) {
  if (const Fault fault = TextFault(topic_name, NameFault)) return ToStatus(fault);
  return ToStatus(TopicNameFault(topic_name));
}

absl::Status CheckTopicFilter(std::string_view topic_filter) {
  if (const Fault fault = TextFault(topic_filter, FilterFault)) return ToStatus(fault);
  return ToStatus(TopicFilterFault(topic_filter));
}

std::optional<SharedFilter> ParseSharedFilter(std::string_view topic_filter) {
  if (!topic_filter.starts_with(kSharePrefix)) return std::nullopt;
  SharedFilter shared;
  shared.topic_filter = topic_filter.substr(kSharePrefix.size());
  bool more = false;
  shared.share_name = TakeLevel(shared.topic_filter, more);
  return shared;
}

bool HasWildcard(std::string_view topic_filter) {
  return std::any_of(topic_filter.begin(), topic_filter.end(), IsWildcard);
}

bool Matches(std::string_view topic_filter, std::string_view topic_name) {
  if (topic_filter.empty() || topic_name.empty()) return false;
  if (topic_name.front() == '$' && IsWildcard(topic_filter.front())) return false;  // MQTT-4.7.2-1
  for (;;) {
    // A name has no wildcards: what is the same in both has none either.
    const auto [filter, name] =
        std::mismatch(topic_filter.begin(), topic_filter.end(), topic_name.begin(), topic_name.end());
    topic_filter = {filter, topic_filter.end()};
    topic_name = {name, topic_name.end()};
    if (topic_filter.empty()) return topic_name.empty();
    if (topic_filter.front() != '+') break;
    topic_filter.remove_prefix(1);
    topic_name.remove_prefix(std::min(topic_name.find('/'), topic_name.size()));
  }
  return topic_filter == "#" || (topic_filter == "/#" && topic_name.empty());  // "a/#" matches "a" too (4.7.1.2).
}

}  // namespace mqttrpc::mqtt
