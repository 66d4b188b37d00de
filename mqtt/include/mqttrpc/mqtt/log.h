// Injected log. We format lines; where they go is the application's choice.
#pragma once

#include <string_view>

namespace mqttrpc::mqtt {

enum class LogLevel {
  kDebug,    // Per packet.
  kInfo,     // Once per connection.
  kWarning,  // Something was lost.
  kError,    // Someone must act.
};

std::string_view NameOf(LogLevel level);  // "debug", "info", "warning", "error"

// Takes lines such as `event=refused peer=127.0.0.1:4711 reason="Not authorized"`,
// without a newline. Never payloads or credentials.
class LogSink {
 public:
  virtual ~LogSink() = default;

  // Whether lines of `level` are wanted; asked before they are built. Any thread.
  virtual bool Wants(LogLevel level) const = 0;

  // Any thread; must not call back into what logs.
  virtual void Write(LogLevel level, std::string_view line) = 0;
};

// Drops everything. Lives for ever.
LogSink& NoLog();

}  // namespace mqttrpc::mqtt
