// mqttrpcd's log lines, by spdlog.
#pragma once

#include <memory>

#include "mqttrpc/mqtt/log.h"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace mqttrpc::broker {

// Writes to stderr, each line with date, time and level, on a thread of its own: who
// does not read our stderr does not stop the broker. Of the lines that wait then,
// the oldest give way.
class SpdlogSink final : public mqtt::LogSink {
 public:
  explicit SpdlogSink(mqtt::LogLevel least);
  ~SpdlogSink() override;

  bool Wants(mqtt::LogLevel level) const override { return level >= least_; }
  void Write(mqtt::LogLevel level, std::string_view line) override;

 private:
  const mqtt::LogLevel least_;
  std::shared_ptr<spdlog::details::thread_pool> thread_;
  const std::shared_ptr<spdlog::logger> logger_;  // Async loggers are shared with their thread.
};

}  // namespace mqttrpc::broker
