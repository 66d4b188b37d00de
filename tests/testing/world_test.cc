// Broker and clients under one clock and one seed.
#include "mqttrpc/testing/world.h"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/testing/matchers.h"

namespace {

using ::testing::HasSubstr;
using namespace mqttrpc::testing;
namespace mqtt = mqttrpc::mqtt;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

mqtt::MessageHandler Into(std::vector<std::string>& payloads) {
  return [&payloads](const mqtt::MessageView& message) { payloads.emplace_back(message.payload); };
}

TEST(WorldTest, CarriesAMessageFromClientToClient) {
  World world;
  mqtt::Client& lamp = world.NewClient("lamp");
  mqtt::Client& home = world.NewClient("home");
  std::vector<std::string> payloads;
  ASSERT_TRUE(world.Run(home.Subscribe(mqtt::Subscription("state"), Into(payloads))).ok());
  const auto code = world.Run(lamp.Publish(mqtt::Message("state", "on")));
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, mqtt::ReasonCode::kSuccess);
  EXPECT_THAT(payloads, ::testing::ElementsAre("on"));
}

TEST(WorldTest, NothingHappensUntilItRuns) {
  World world;
  mqtt::Client& lamp = world.NewClient("lamp");
  EXPECT_TRUE(world.recorder().Packets().empty());
  EXPECT_NE(lamp.state().kind, mqtt::ConnectionState::Kind::kConnected);
  world.RunUntilQuiet();
  EXPECT_EQ(lamp.state().kind, mqtt::ConnectionState::Kind::kConnected);
  EXPECT_EQ(world.elapsed(), mqtt::Duration::zero());
}

TEST(WorldTest, AClientIsCalledAsItsNameUnlessItsOptionsSayAnother) {
  World world;
  mqtt::ClientOptions options;
  options.client_id = "another";
  world.NewClient("first");
  world.NewClient("second", options);
  world.RunUntilQuiet();
  EXPECT_EQ(world.recorder().From("first").at(0).client_id, "first");
  EXPECT_EQ(world.recorder().From("second").at(0).client_id, "another");
}

// One PINGREQ and one PINGRESP every 45 s, in order, at their own times.
TEST(WorldTest, TwoHoursCostWhatHappensInThem) {
  World world;
  world.NewClient("lamp");
  world.Advance(hours(2));
  EXPECT_EQ(world.elapsed(), mqtt::Duration(hours(2)));
  const auto pings = world.recorder().From("lamp", PacketKind::kPingReq);
  ASSERT_EQ(pings.size(), 160u);
  EXPECT_EQ(pings[0].time, mqtt::Duration(seconds(45)));
  EXPECT_EQ(world.recorder().To("lamp", PacketKind::kPingResp).size(), 160u);
}

TEST(WorldTest, WaitsUntilSubscribed) {
  World world;
  mqtt::Client& home = world.NewClient("home");
  home.Subscribe(mqtt::Subscription("a/+"), [](const mqtt::MessageView&) {}, [](auto) {});
  EXPECT_EQ(world.broker().subscription_count("a/+"), 0u);
  EXPECT_TRUE(world.UntilSubscribed("a/+").ok());
  EXPECT_EQ(world.broker().subscription_count("a/+"), 1u);
  EXPECT_EQ(world.broker().subscription_count("a/b"), 0u);
}

TEST(WorldTest, CountsSharedSubscriptionsByTheirWholeFilter) {
  World world;
  for (const char* name : {"one", "two"}) {
    world.NewClient(name).Subscribe(
        mqtt::Subscription("$share/g/jobs/#"), [](const mqtt::MessageView&) {}, [](auto) {});
  }
  EXPECT_TRUE(world.UntilSubscribed("$share/g/jobs/#", 2).ok());
  EXPECT_EQ(world.broker().subscription_count("jobs/#"), 0u);
  EXPECT_EQ(world.broker().subscription_count("$share/h/jobs/#"), 0u);
}

TEST(WorldTest, SaysWhatIsMissing) {
  World world;
  world.NewClient("home").Subscribe(mqtt::Subscription("a"), [](const mqtt::MessageView&) {}, [](auto) {});
  const absl::Status status = world.UntilSubscribed("a", 2, minutes(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 subscriptions of a, of which there are 1"));
  EXPECT_LE(world.elapsed(), mqtt::Duration(minutes(1)));
}

TEST(WorldTest, SaysWhyAClientIsNotConnected) {
  World world;
  world.faults().Refuse("lamp", absl::UnavailableError("no route"));
  const absl::Status status = world.UntilConnected(world.NewClient("lamp"), minutes(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no route"));
}

TEST(WorldTest, WaitsForTheBackOffOfAClient) {
  World world;
  world.faults().RefuseFor("lamp", seconds(30));
  mqtt::Client& lamp = world.NewClient("lamp");
  EXPECT_TRUE(world.UntilConnected(lamp).ok());
  EXPECT_GE(world.elapsed(), mqtt::Duration(seconds(30)));
}

TEST(WorldTest, RunEndsAnOperationThatTakesTooLong) {
  World world;
  mqtt::Client& lamp = world.NewClient("lamp");
  ASSERT_TRUE(world.UntilConnected(lamp).ok());
  world.faults().To("lamp").Every(PacketKind::kPubAck).Drop();
  const auto code = world.Run(lamp.Publish(mqtt::Message("state", "on")), seconds(20));
  EXPECT_EQ(code.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(WorldTest, RunTakesCallbacksToo) {
  World world;
  mqtt::Client& lamp = world.NewClient("lamp");
  const absl::Status status = world.Run<absl::Status>([&](auto done) { lamp.UntilConnected(std::move(done)); });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(WorldTest, ARemovedClientIsGoneWithoutADisconnect) {
  World world;
  world.NewClient("lamp");
  world.RunUntilQuiet();
  world.RemoveClient("lamp");
  EXPECT_EQ(world.broker().statistics().connections, 0u);
  EXPECT_THAT(world.recorder().From("lamp"), ::testing::Not(::testing::Contains(OfKind(PacketKind::kDisconnect))));
}

// Reconnects with jitter, random faults and all.
std::string RecordingOf(std::uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  World world(options);
  world.faults().FromAll().Sometimes(0.2).CutAfter();
  world.faults().ToAll().Latency(milliseconds(5));
  mqtt::Client& lamp = world.NewClient("lamp");
  for (int i = 0; i < 20; ++i) {
    lamp.Publish(mqtt::Message("state", std::to_string(i)), [](const absl::StatusOr<mqtt::ReasonCode>&) {});
    world.Advance(seconds(1));
  }
  return world.recorder().ToString();
}

TEST(WorldTest, TheSameSeedGivesTheSameRecording) { EXPECT_EQ(RecordingOf(7), RecordingOf(7)); }

TEST(WorldTest, AnotherSeedGivesAnother) { EXPECT_NE(RecordingOf(7), RecordingOf(8)); }

}  // namespace
