// Streams through the whole stack, and what their tests ask of them.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <asio/awaitable.hpp>

#include "stream_stack.h"

namespace mqttrpc::test {

class StreamTest : public StreamStackTest {
 protected:
  void ServeStreams(ServerOptions options = ServerOptions()) {
    server_ = std::make_unique<Server>(*device_, options);
    server_->Add(streams_);
    ASSERT_TRUE(world_.Run(server_->Start()).ok());
  }
  void OpenStub(ChannelOptions options = ChannelOptions()) {
    Open(options);
    stub_.emplace(*channel_, "dev-1");
  }
  void ServeAndOpenStub() {
    ServeStreams();
    OpenStub();
  }
  static Range RangeOf(std::int64_t end, std::int64_t data_bytes = 0) {
    Range range;
    range.set_end(end);
    range.set_data_bytes(data_bytes);
    return range;
  }
  // Reads what comes; -1 stands for an item out of order or damaged.
  asio::awaitable<std::int64_t> ReadAll(ClientReader<Item>& reader) {
    std::int64_t count = 0;
    for (;;) {
      const auto item = co_await reader.Read();
      if (!item.has_value()) co_return count;
      if (item->number() != count || !IsWhole(*item)) co_return -1;
      ++count;
    }
  }
  struct Read {
    Read() = default;
    explicit Read(absl::Status status_in) : status(std::move(status_in)) {}
    absl::Status status;
    std::int64_t count = 0;
  };
  asio::awaitable<Read> ReadToTheEnd(ClientReader<Item> reader) {
    const std::int64_t count = co_await ReadAll(reader);
    Read read(co_await reader.Finish());
    read.count = count;
    co_return read;
  }
  void ExpectNothingLeft() {
    Run();
    EXPECT_EQ(server_->running_calls(), 0u);
    EXPECT_EQ(streams_.begun, streams_.ended);
  }
};

}  // namespace mqttrpc::test
