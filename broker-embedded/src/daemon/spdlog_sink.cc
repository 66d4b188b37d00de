#include "spdlog_sink.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
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

constexpr std::size_t kWaitingLines = 8192;

}  // namespace

SpdlogSink::SpdlogSink(mqtt::LogLevel least)
    : least_(least),
      thread_(std::make_shared<spdlog::details::thread_pool>(kWaitingLines, 1)),
      logger_(std::make_shared<spdlog::async_logger>("mqttrpcd", std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                                                     thread_, spdlog::async_overflow_policy::overrun_oldest)) {
  logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  logger_->set_level(LevelOf(least));
}

// The thread writes what waits and ends, before what it writes with goes.
SpdlogSink::~SpdlogSink() { thread_ = nullptr; }

void SpdlogSink::Write(mqtt::LogLevel level, std::string_view line) {
  logger_->log(LevelOf(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace mqttrpc::broker
