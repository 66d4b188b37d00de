#include "filter.h"

#include <algorithm>

namespace demo::log_tail {

std::string NameOf(v1::Level level) {
  switch (level) {
    case v1::LEVEL_DEBUG: return "debug";
    case v1::LEVEL_INFO: return "info";
    case v1::LEVEL_WARNING: return "warning";
    case v1::LEVEL_ERROR: return "error";
    default: return "unknown";
  }
}

v1::Filter ParseFilter(std::string_view text) {
  v1::Filter filter;
  const std::string_view first = text.substr(0, text.find(' '));
  for (const v1::Level level : {v1::LEVEL_DEBUG, v1::LEVEL_INFO, v1::LEVEL_WARNING, v1::LEVEL_ERROR}) {
    if (first != NameOf(level)) continue;
    filter.set_minimum(level);
    text.remove_prefix(std::min(first.size() + 1, text.size()));
  }
  filter.set_contains(std::string(text));
  return filter;
}

bool Matches(const v1::Filter& filter, const v1::Line& line) {
  return line.level() >= filter.minimum() && line.text().find(filter.contains()) != std::string::npos;
}

}  // namespace demo::log_tail
