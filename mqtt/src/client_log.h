// Builds log lines: key=value, with values nobody can break out of.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/log.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {

// `text`, perhaps a peer's, in quotes; control characters and quotes escaped,
// and cut where it gets too long for a log.
inline std::string Quoted(std::string_view text) {
  constexpr std::size_t kMost = 512;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(ToAbsl(text.substr(0, kMost))), text.size() > kMost ? "...\"" : "\"");
}

// Calls `build` only if somebody wants the line.
template <typename Build>
void Log(LogSink& sink, LogLevel level, Build&& build) {
  if (sink.Wants(level)) sink.Write(level, build());
}

}  // namespace mqttrpc::mqtt
