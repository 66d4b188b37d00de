// A slow reader does not drown in samples: it sees fewer, and recent ones.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/testing/matchers.h"
#include "mqttrpc/testing/world.h"
#include "sensor.h"
#include "wait.h"

namespace demo::telemetry {
namespace {

using mqttrpc::mqtt::Duration;
using mqttrpc::testing::PacketKind;
using mqttrpc::testing::World;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kFrames = 16;  // That may be under way to a reader, as in the program.

class TelemetryTest : public ::testing::Test {
 protected:
  static mqttrpc::ChannelOptions SmallReader() {
    mqttrpc::ChannelOptions options;
    options.limits.frames = kFrames;
    return options;
  }

  void SetUp() override {
    server_.Add(sensor_);
    ASSERT_TRUE(world_.Run(server_.Start()).ok());
    ASSERT_TRUE(world_.UntilConnected(world_.client("reader")).ok());
    world_.recorder().Clear();
  }

  static v1::WatchRequest TenPerSecond() {
    v1::WatchRequest request;
    request.set_samples_per_second(10);
    return request;
  }

  // How long ago it was measured. The device started with the world.
  Duration AgeOf(const v1::Sample& sample) const {
    return world_.elapsed() -
           std::chrono::nanoseconds(google::protobuf::util::TimeUtil::DurationToNanoseconds(sample.uptime()));
  }

  std::size_t SamplesSent() {
    const auto packets = world_.recorder().From("device", PacketKind::kPublish);
    return static_cast<std::size_t>(
        std::count_if(packets.begin(), packets.end(), [](const auto& packet) { return !packet.payload.empty(); }));
  }

  World world_;
  mqttrpc::testing::RecordingOnFailure print_{world_};
  Sensor sensor_{world_.clock()};
  mqttrpc::Server server_{world_.NewClient("device")};
  mqttrpc::Channel channel_{world_.NewClient("reader"), SmallReader()};
  v1::TelemetryStub stub_{channel_, "device"};
};

TEST_F(TelemetryTest, AReaderThatKeepsUpSeesEverySampleInTime) {
  auto samples = stub_.Watch(TenPerSecond());
  for (std::uint64_t number = 0; number < 200; ++number) {
    const std::optional<v1::Sample> sample = world_.Run(samples.Read());
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->number(), number);
    EXPECT_EQ(sample->skipped(), 0u);
    EXPECT_EQ(AgeOf(*sample), Duration(0));
  }
}

TEST_F(TelemetryTest, AReaderMayBeginBeforeItIsConnected) {
  mqttrpc::Channel channel(world_.NewClient("early"), SmallReader());
  auto samples = v1::TelemetryStub(channel, "device").Watch(TenPerSecond());
  for (std::size_t i = 0; i < 10 * kFrames; ++i) ASSERT_TRUE(world_.Run(samples.Read()).has_value()) << i;
}

TEST_F(TelemetryTest, ASlowReaderSeesRecentSamplesAndHowManyItMissed) {
  auto samples = stub_.Watch(TenPerSecond());
  constexpr seconds kSlow{1};  // Of ten samples, it can read one.
  std::uint64_t next = 0;
  std::uint64_t skipped = 0;
  std::size_t read = 0;
  for (; read < 100; ++read) {
    const std::optional<v1::Sample> sample = world_.Run(samples.Read());
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->number(), next + sample->skipped());
    next = sample->number() + 1;
    skipped += sample->skipped();
    EXPECT_LE(AgeOf(*sample), (kFrames + 1) * kSlow);
    EXPECT_LE(SamplesSent(), read + 1 + kFrames);  // No more than that is in flight, ever.
    world_.Advance(kSlow);
  }
  EXPECT_GT(skipped, read * 7);
}

TEST_F(TelemetryTest, AReaderThatIsFastAgainSeesEverySampleAgain) {
  auto samples = stub_.Watch(TenPerSecond());
  ASSERT_TRUE(world_.Run(samples.Read()).has_value());
  world_.Advance(seconds(60));
  std::optional<v1::Sample> sample;
  for (std::size_t i = 0; i < 2 * kFrames; ++i) sample = world_.Run(samples.Read());
  for (std::size_t i = 0; i < 50; ++i) {
    sample = world_.Run(samples.Read());
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->skipped(), 0u);
    EXPECT_LE(AgeOf(*sample), milliseconds(100));
  }
}

TEST_F(TelemetryTest, ACutLosesNothingButWhatTheDeviceSkipped) {
  auto samples = stub_.Watch(TenPerSecond());
  std::uint64_t next = 0;
  for (int i = 0; i < 100; ++i) {
    if (i % 30 == 10) world_.faults().Cut("reader");
    const std::optional<v1::Sample> sample = world_.Run(samples.Read());
    ASSERT_TRUE(sample.has_value());
    EXPECT_EQ(sample->number(), next + sample->skipped());
    next = sample->number() + 1;
  }
  EXPECT_EQ(samples.lost(), 0u);
}

TEST_F(TelemetryTest, ALossyStreamGoesOnAfterACutAndCountsWhatIsLost) {
  auto samples = stub_.WatchLossy(TenPerSecond());
  std::uint64_t missing = 0;
  std::uint64_t skipped = 0;
  std::uint64_t next = 0;
  for (int i = 0; i < 100; ++i) {
    if (i == 50) {
      world_.faults().RefuseFor("reader", seconds(1));
      world_.faults().Cut("reader");
    }
    const std::optional<v1::Sample> sample = world_.Run(samples.Read());
    ASSERT_TRUE(sample.has_value());
    missing += sample->number() - next;
    skipped += sample->skipped();
    next = sample->number() + 1;
    EXPECT_TRUE(i < 60 || AgeOf(*sample) == Duration(0));
  }
  EXPECT_GT(samples.lost(), 0u);
  EXPECT_EQ(missing, samples.lost() + skipped);
}

TEST_F(TelemetryTest, TheDeviceStopsMeasuringWhenNobodyWatches) {
  {
    auto samples = stub_.Watch(TenPerSecond());
    ASSERT_TRUE(world_.Run(samples.Read()).has_value());
    EXPECT_EQ(server_.running_calls(), 1u);
  }
  world_.RunUntilQuiet();
  EXPECT_EQ(server_.running_calls(), 0u);
}

TEST_F(TelemetryTest, AReaderHearsThatTheDeviceStops) {
  auto samples = stub_.Watch(TenPerSecond());
  ASSERT_TRUE(world_.Run(samples.Read()).has_value());
  world_.Run(server_.Stop(milliseconds(0))).IgnoreError();
  while (world_.Run(samples.Read())) {
  }
  EXPECT_EQ(world_.Run(samples.Finish()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(TelemetryTest, RefusesRatesThatAreNone) {
  for (const double rate : {0.0, -1.0, 1e9}) {
    v1::WatchRequest request;
    request.set_samples_per_second(rate);
    auto samples = stub_.Watch(request);
    EXPECT_EQ(world_.Run(samples.Finish()).code(), absl::StatusCode::kInvalidArgument) << rate;
  }
}

}  // namespace
}  // namespace demo::telemetry
