// Filters, as people write them and as lines meet them.
#pragma once

#include <string>
#include <string_view>

#include "log_tail.pb.h"

namespace demo::log_tail {

// "debug", "info", "warning" or "error".
std::string NameOf(v1::Level level);

// "warning": that level and above. "warning disk": with that text. "disk": the text alone.
v1::Filter ParseFilter(std::string_view text);

bool Matches(const v1::Filter& filter, const v1::Line& line);

}  // namespace demo::log_tail
