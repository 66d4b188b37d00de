#include "spdlog_sink.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace mqttrpc::broker {
namespace {

spdlog::level::level_enum LevelOf(mqtt::LogLevel level) {
  switch (level) {
    case mqtt::LogLevel::kDebug: return spdlog::level::debug;
    case mqtt::LogLevel::kInfo: return spdlog::level::info;
    case mqtt::LogLevel::kWarning: return spdlog::level::warn;
    case mqtt::LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

SpdlogSink::SpdlogSink(mqtt::LogLevel least)
    : least_(least),
      logger_(std::make_unique<spdlog::logger>("mqttrpcd", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  logger_->set_level(LevelOf(least));
}

SpdlogSink::~SpdlogSink() = default;

void SpdlogSink::Write(mqtt::LogLevel level, std::string_view line) {
  logger_->log(LevelOf(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace mqttrpc::broker
