// mqttrpcd's log lines, by spdlog.
#pragma once

#include <memory>

#include "mqttrpc/mqtt/log.h"

namespace spdlog {
class logger;
}

namespace mqttrpc::broker {

// Writes to stderr, each line with date, time and level.
class SpdlogSink final : public mqtt::LogSink {
 public:
  explicit SpdlogSink(mqtt::LogLevel least);
  ~SpdlogSink() override;

  bool Wants(mqtt::LogLevel level) const override { return level >= least_; }
  void Write(mqtt::LogLevel level, std::string_view line) override;

 private:
  const mqtt::LogLevel least_;
  const std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace mqttrpc::broker
