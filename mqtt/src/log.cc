#include "mqttrpc/mqtt/log.h"

namespace mqttrpc::mqtt {
namespace {

class Nowhere final : public LogSink {
 public:
  bool Wants(LogLevel) const override { return false; }
  void Write(LogLevel, std::string_view) override {}
};

}  // namespace

std::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "unknown";
}

LogSink& NoLog() {
  static Nowhere& sink = *new Nowhere;
  return sink;
}

}  // namespace mqttrpc::mqtt
