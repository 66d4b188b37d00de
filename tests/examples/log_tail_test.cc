// A filter that changes while lines come takes effect at once.
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "filter.h"
#include "log.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/testing/matchers.h"
#include "mqttrpc/testing/world.h"

namespace demo::log_tail {
namespace {

using mqttrpc::testing::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kKept = 100;
constexpr std::size_t kFrames = 16;

class LogTailTest : public ::testing::Test {
 protected:
  using Tail = mqttrpc::ClientReaderWriter<v1::Filter, v1::Line>;

  static mqttrpc::ChannelOptions SmallReader() {
    mqttrpc::ChannelOptions options;
    options.limits.frames = kFrames;
    return options;
  }

  void SetUp() override {
    server_.Add(service_);
    ASSERT_TRUE(world_.Run(server_.Start()).ok());
    ASSERT_TRUE(world_.UntilConnected(world_.client("backend")).ok());
  }

  // Until the device has it.
  void SetFilter(Tail& tail, std::string_view text) {
    ASSERT_TRUE(world_.Run(tail.Write(ParseFilter(text))));
    world_.RunUntilQuiet();
  }

  // One line of each level; their texts end with `text`.
  void WriteLines(const std::string& text) {
    for (const v1::Level level : {v1::LEVEL_DEBUG, v1::LEVEL_INFO, v1::LEVEL_WARNING, v1::LEVEL_ERROR}) {
      log_.Write(level, NameOf(level) + ' ' + text);
    }
    world_.RunUntilQuiet();
  }

  // What has come by now, or comes without time moving on.
  std::vector<std::string> Texts(Tail& tail) {
    std::vector<std::string> texts;
    while (const std::optional<v1::Line> line = world_.Run(tail.Read(), std::chrono::seconds(0))) {
      texts.push_back(line->text());
    }
    return texts;
  }

  World world_;
  mqttrpc::testing::RecordingOnFailure print_{world_};
  Log log_{world_.io().get_executor(), kKept};
  LogTail service_{log_};
  mqttrpc::Server server_{world_.NewClient("device")};
  mqttrpc::Channel channel_{world_.NewClient("backend"), SmallReader()};
  v1::LogTailStub stub_{channel_, "device"};
};

TEST_F(LogTailTest, SendsNothingBeforeTheFirstFilter) {
  Tail tail = stub_.Follow();
  world_.RunUntilQuiet();
  WriteLines("early");
  EXPECT_THAT(Texts(tail), IsEmpty());
  SetFilter(tail, "");
  WriteLines("late");
  EXPECT_THAT(Texts(tail), ElementsAre("debug late", "info late", "warning late", "error late"));
}

TEST_F(LogTailTest, AFilterHoldsFromTheNextLineOnUntilAnotherComes) {
  Tail tail = stub_.Follow();
  SetFilter(tail, "error");
  WriteLines("1");
  SetFilter(tail, "info disk");
  WriteLines("2");
  WriteLines("disk");
  SetFilter(tail, "debug");
  WriteLines("3");
  EXPECT_THAT(Texts(tail), ElementsAre("error 1", "info disk", "warning disk", "error disk", "debug 3", "info 3",
                                       "warning 3", "error 3"));
}

TEST_F(LogTailTest, ANewFilterHoldsForLinesThatWaitInTheLogToo) {
  Tail tail = stub_.Follow();
  SetFilter(tail, "info");
  for (std::size_t i = 0; i < kKept - 4; ++i) log_.Write(v1::LEVEL_INFO, "noise");
  world_.RunUntilQuiet();  // The reader has no room for most of it.
  SetFilter(tail, "error");
  WriteLines("needle");
  std::vector<std::string> texts = Texts(tail);
  EXPECT_LE(texts.size(), kFrames + 2);  // Those on the way, the one that waited for room, and the needle.
  EXPECT_EQ(texts.back(), "error needle");
}

TEST_F(LogTailTest, ASlowReaderIsToldHowManyLinesItMissed) {
  Tail tail = stub_.Follow();
  SetFilter(tail, "");
  constexpr std::size_t kWritten = 10 * kKept;
  for (std::size_t i = 0; i < kWritten; ++i) {
    log_.Write(v1::LEVEL_INFO, std::to_string(i));
    world_.RunUntilQuiet();
  }
  std::size_t read = 0;
  std::size_t missed = 0;
  std::string last;
  while (const std::optional<v1::Line> line = world_.Run(tail.Read(), std::chrono::seconds(0))) {
    ++read;
    missed += line->missed();
    last = line->text();
  }
  EXPECT_EQ(read + missed, kWritten);
  EXPECT_LE(read, kFrames + 1 + kKept);
  EXPECT_EQ(last, std::to_string(kWritten - 1));
}

TEST_F(LogTailTest, GoesOnAfterACutWithTheFilterItHad) {
  Tail tail = stub_.Follow();
  SetFilter(tail, "warning");
  WriteLines("before");
  world_.faults().Cut("backend");
  WriteLines("meanwhile");
  std::vector<std::string> texts;
  while (texts.size() < 4) {
    const std::optional<v1::Line> line = world_.Run(tail.Read());
    ASSERT_TRUE(line.has_value());
    texts.push_back(line->text());
  }
  EXPECT_THAT(texts, ElementsAre("warning before", "error before", "warning meanwhile", "error meanwhile"));
}

TEST_F(LogTailTest, TwoFollowWithFiltersOfTheirOwn) {
  Tail errors = stub_.Follow();
  Tail all = stub_.Follow();
  SetFilter(errors, "error");
  SetFilter(all, "");
  WriteLines("x");
  EXPECT_THAT(Texts(errors), ElementsAre("error x"));
  EXPECT_THAT(Texts(all), ElementsAre("debug x", "info x", "warning x", "error x"));
}

TEST_F(LogTailTest, GoesOnWhenNoMoreFiltersFollow) {
  Tail tail = stub_.Follow();
  SetFilter(tail, "error");
  tail.WritesDone();
  WriteLines("x");
  EXPECT_THAT(Texts(tail), ElementsAre("error x"));
}

TEST_F(LogTailTest, TheDeviceEndsItWhenNobodyFollows) {
  {
    Tail tail = stub_.Follow();
    SetFilter(tail, "error");
    EXPECT_EQ(server_.running_calls(), 1u);
  }
  world_.RunUntilQuiet();
  EXPECT_EQ(server_.running_calls(), 0u);
}

TEST_F(LogTailTest, AReaderHearsThatTheDeviceStops) {
  Tail tail = stub_.Follow();
  SetFilter(tail, "error");
  world_.Run(server_.Stop(std::chrono::milliseconds(0))).IgnoreError();
  EXPECT_FALSE(world_.Run(tail.Read()).has_value());
  EXPECT_EQ(world_.Run(tail.Finish()).code(), absl::StatusCode::kUnavailable);
}

TEST(ParseFilterTest, TakesLevelTextOrBoth) {
  EXPECT_EQ(ParseFilter("").minimum(), v1::LEVEL_UNSPECIFIED);
  EXPECT_EQ(ParseFilter("").contains(), "");
  EXPECT_EQ(ParseFilter("warning").minimum(), v1::LEVEL_WARNING);
  EXPECT_EQ(ParseFilter("warning").contains(), "");
  EXPECT_EQ(ParseFilter("error disk full").minimum(), v1::LEVEL_ERROR);
  EXPECT_EQ(ParseFilter("error disk full").contains(), "disk full");
  EXPECT_EQ(ParseFilter("disk error").minimum(), v1::LEVEL_UNSPECIFIED);
  EXPECT_EQ(ParseFilter("disk error").contains(), "disk error");
}

}  // namespace
}  // namespace demo::log_tail
