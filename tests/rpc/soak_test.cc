// Many calls and streams while connections come and go: nothing is left behind.
// MQTTRPC_SOAK_CALLS=1000000 MQTTRPC_SOAK_STREAMS=10000 runs so many.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/rpc/status.h"
#include "mqttrpc/testing/world.h"
#include "stream_service.h"

namespace mqttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ItemOf;
using test::streams::Item;
using test::streams::Range;
using test::streams::StreamsStub;

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

class SoakTest : public ::testing::Test {
 protected:
  static constexpr int kDevices = 2;
  static constexpr int kCallers = 3;
  static constexpr int kAtATime = 16;  // Of each caller.

  SoakTest() {
    world_.recorder().set_limit(0);
    for (int i = 0; i < kDevices; ++i) {
      mqtt::Client& client = NewClient(absl::StrCat("dev-", i));
      servers_.push_back(std::make_unique<Server>(client));
      servers_.back()->Add(service_);
      EXPECT_TRUE(world_.Run(servers_.back()->Start()).ok());
    }
    for (int i = 0; i < kCallers; ++i) {
      channels_.push_back(std::make_unique<Channel>(NewClient(absl::StrCat("caller-", i))));
    }
  }
  ~SoakTest() override {
    channels_.clear();
    servers_.clear();
  }

  mqtt::Client& NewClient(const std::string& name) {
    names_.push_back(name);
    mqtt::ClientOptions options;
    options.session_expiry = seconds(names_.size() % 2 == 0 ? 300 : 0);
    options.backoff_maximum = seconds(2);
    return world_.NewClient(name, options);
  }

  StreamsStub Stub(Channel& channel) {
    const auto target = world_.random().Below(kDevices + 1);
    if (target == kDevices) return StreamsStub(channel, kAnyInstance);
    return StreamsStub(channel, absl::StrCat("dev-", target));
  }

  // One after the other until none is left to be made.
  asio::awaitable<void> MakeCalls(Channel& channel) {
    ++working_;
    while (calls_left_ > 0 || streams_left_ > 0) {
      const bool streams = calls_left_ == 0 || (streams_left_ > 0 && world_.random().Below(100) == 0);
      absl::Status status;
      if (!streams) {
        --calls_left_;
        status = co_await Call(Stub(channel));
      } else if (--streams_left_; world_.random().Below(2) == 0) {
        status = co_await Read(Stub(channel));
      } else {
        status = co_await Write(Stub(channel));
      }
      ++(status.ok() ? good_ : bad_);
      // All that a cut may do to a call; nothing else happens to one.
      const bool explained =
          status.ok() || absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
      EXPECT_TRUE(explained) << status;
    }
    --working_;
  }
  asio::awaitable<absl::Status> Call(StreamsStub stub) {
    const Item item = ItemOf(1, 20);
    const auto reply = co_await stub.EchoSafely(item);
    co_return reply.status();
  }
  asio::awaitable<absl::Status> Read(StreamsStub stub) {
    Range range;
    range.set_end(static_cast<std::int64_t>(world_.random().Below(200)));
    auto reader = stub.Count(range);
    const auto leaves_at = world_.random().Below(300);
    std::int64_t count = 0;
    for (;; ++count) {
      if (count == static_cast<std::int64_t>(leaves_at)) reader.Cancel();
      const auto item = co_await reader.Read();
      if (!item.has_value()) break;
      EXPECT_EQ(item->number(), count);
    }
    co_return co_await reader.Finish();
  }
  asio::awaitable<absl::Status> Write(StreamsStub stub) {
    auto writer = stub.Sum();
    const auto count = static_cast<std::int64_t>(world_.random().Below(200));
    for (std::int64_t i = 0; i < count; ++i) {
      const Item item = ItemOf(i);
      const bool written = co_await writer.Write(item);
      if (!written) break;
    }
    const auto total = co_await writer.Finish();
    if (total.ok()) {
      EXPECT_EQ(total->count(), count);
    }
    co_return total.status();
  }

  mqttrpc::testing::World world_;
  test::StreamService service_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::uint64_t calls_left_ = FromEnvironment("MQTTRPC_SOAK_CALLS", 5'000);
  std::uint64_t streams_left_ = FromEnvironment("MQTTRPC_SOAK_STREAMS", 200);
  int working_ = 0;
  std::uint64_t good_ = 0, bad_ = 0, cuts_ = 0, restarts_ = 0;
};

TEST_F(SoakTest, NothingIsLeftBehind) {
  for (const auto& channel : channels_) {
    for (int i = 0; i < kAtATime; ++i) asio::co_spawn(world_.io(), MakeCalls(*channel), asio::detached);
  }
  // Without latency nothing would take time, and nothing be cut on its way.
  for (const std::string& name : names_) world_.faults().To(name).Latency(milliseconds(1));
  world_.RunUntilQuiet();
  while (working_ > 0) {
    world_.Advance(milliseconds(1 + world_.random().Below(20)));
    if (world_.random().Below(10) > 0) continue;
    if (world_.random().Below(30) == 0) {
      world_.CrashBroker();
      world_.Advance(milliseconds(world_.random().Below(1'000)));
      world_.StartBroker();
      ++restarts_;
    } else {
      world_.faults().Cut(names_[world_.random().Below(names_.size())]);
      ++cuts_;
    }
  }
  std::printf("%llu ended well, %llu by a cut; %llu cuts, %llu restarts\n", static_cast<unsigned long long>(good_),
              static_cast<unsigned long long>(bad_), static_cast<unsigned long long>(cuts_),
              static_cast<unsigned long long>(restarts_));
  EXPECT_GT(good_, bad_);
  world_.faults().Heal();
  world_.Advance(seconds(300));  // Streams that were cut at last end after 30 s, and are remembered for 3 minutes.
  // What is remembered goes with the next request.
  for (int i = 0; i < kDevices; ++i) {
    StreamsStub stub(*channels_[0], absl::StrCat("dev-", i));
    EXPECT_TRUE(world_.Run(stub.EchoSafely(ItemOf(1))).ok());
  }
  world_.Advance(seconds(1));  // The last acknowledgements.
  for (const auto& channel : channels_) EXPECT_EQ(channel->calls_under_way(), 0u);
  for (const auto& server : servers_) {
    EXPECT_EQ(server->running_calls(), 0u);
    EXPECT_EQ(server->waiting_calls(), 0u);
    EXPECT_LE(server->remembered_calls(), 1u);
  }
  EXPECT_EQ(service_.begun, service_.ended);
  for (const std::string& name : names_) {
    const mqtt::ClientStatistics statistics = world_.client(name).statistics();
    EXPECT_EQ(statistics.queued_messages, 0u) << name;
    EXPECT_EQ(statistics.in_flight, 0u) << name;  // Packet identifiers.
    EXPECT_EQ(statistics.unacknowledged, 0u) << name;
  }
}

}  // namespace
}  // namespace mqttrpc
