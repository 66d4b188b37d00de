// Remembers every log line.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "mqttrpc/mqtt/log.h"

namespace mqttrpc::test {

class LogRecorder final : public mqtt::LogSink {
 public:
  bool Wants(mqtt::LogLevel) const override { return true; }
  void Write(mqtt::LogLevel level, std::string_view line) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(NameOf(level)) + " " + std::string(line));
  }

  // "warning event=connection_lost ...", in order.
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace mqttrpc::test
