#include "log.h"

#include <optional>
#include <utility>

#include <google/protobuf/util/time_util.h>
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "filter.h"

namespace demo::log_tail {

using namespace asio::experimental::awaitable_operators;  // For &&: both, to the end.

void Log::Write(v1::Level level, std::string text) {
  v1::Line& line = lines_.emplace_back();
  *line.mutable_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
  line.set_level(level);
  line.set_text(std::move(text));
  if (lines_.size() > keep_) {
    lines_.pop_front();
    ++begin_;
  }
  written_.cancel();
}

asio::awaitable<void> Log::UntilWritten() {
  co_await written_.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
}

namespace {

using Stream = mqttrpc::ServerReaderWriter<v1::Filter, v1::Line>;

// Each filter replaces the one before.
asio::awaitable<void> ReadFilters(Stream& stream, std::optional<v1::Filter>& filter) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (std::optional<v1::Filter> next = co_await stream.Read()) filter = std::move(next);
}

// Lines wait in the log until the reader has room, and are looked at only then: a new
// filter holds for all that is not sent yet.
asio::awaitable<void> SendLines(mqttrpc::ServerContext& context, Stream& stream, Log& log,
                                const std::optional<v1::Filter>& filter) {
  co_await asio::this_coro::throw_if_cancelled(false);
  std::uint64_t missed = 0;
  for (std::uint64_t next = log.end(); !context.cancelled();) {
    if (next < log.begin()) {
      missed += log.begin() - next;
      next = log.begin();
    }
    if (next == log.end()) {
      co_await log.UntilWritten();
      continue;
    }
    v1::Line line = log[next++];
    if (!filter || !Matches(*filter, line)) continue;
    line.set_missed(std::exchange(missed, 0));
    if (!co_await stream.Write(line)) break;
  }
}

}  // namespace

asio::awaitable<absl::Status> LogTail::CoFollow(mqttrpc::ServerContext& context, Stream& stream) {
  std::optional<v1::Filter> filter;
  co_await (ReadFilters(stream, filter) && SendLines(context, stream, log_, filter));
  co_return absl::CancelledError("nobody follows");
}

}  // namespace demo::log_tail
