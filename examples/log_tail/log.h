// The device's side: a log that remembers its last lines, and what lets others follow it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>

#include "log_tail.mqttrpc.h"

namespace demo::log_tail {

// Lines are numbered from 0. Used on one executor.
class Log {
 public:
  // Remembers so many lines: its memory, whoever follows it however slowly.
  Log(asio::any_io_executor executor, std::size_t keep)
      : keep_(keep), written_(executor, asio::steady_timer::time_point::max()) {}

  void Write(v1::Level level, std::string text);

  std::uint64_t begin() const { return begin_; }                // The oldest line it has,
  std::uint64_t end() const { return begin_ + lines_.size(); }  // and one behind the newest.
  const v1::Line& operator[](std::uint64_t number) const { return lines_[static_cast<std::size_t>(number - begin_)]; }

  // Completes at the next Write(), or when the coroutine is cancelled.
  asio::awaitable<void> UntilWritten();

 private:
  const std::size_t keep_;
  std::deque<v1::Line> lines_;
  std::uint64_t begin_ = 0;
  asio::steady_timer written_;  // Never fires: Write() cancels it, which wakes all who wait.
};

class LogTail final : public v1::LogTailService {
 public:
  explicit LogTail(Log& log) : log_(log) {}  // Borrowed.

 private:
  using Stream = mqttrpc::ServerReaderWriter<v1::Filter, v1::Line>;

  asio::awaitable<absl::Status> CoFollow(mqttrpc::ServerContext& context, Stream& stream) override;

  Log& log_;
};

}  // namespace demo::log_tail
