// Each fault does what it says, to whom it says, when it says.
#include "mqttrpc/testing/faults.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/testing/matchers.h"
#include "mqttrpc/testing/world.h"

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace mqttrpc::testing;
namespace mqtt = mqttrpc::mqtt;
using std::chrono::minutes;
using std::chrono::seconds;
using CodeOr = absl::StatusOr<mqtt::ReasonCode>;

class FaultsTest : public ::testing::Test {
 protected:
  FaultsTest() : lamp_(world_.NewClient("lamp")), home_(world_.NewClient("home")) {
    const CodeOr code = world_.Run(home_.Subscribe(mqtt::Subscription("#"), [this](const mqtt::MessageView& message) {
      payloads_.emplace_back(message.payload);
    }));
    EXPECT_TRUE(code.ok());
  }

  // Without Topic Aliases: a packet that is lost, as none is over TCP, would take the
  // meaning of those behind it along.
  static WorldOptions WithoutAliases() {
    WorldOptions options;
    options.broker.outgoing_topic_alias_maximum = 0;
    return options;
  }

  void Publish(std::string payload, mqtt::QoS qos = mqtt::QoS::kAtLeastOnce) {
    lamp_.Publish(mqtt::Message("state", std::move(payload), qos), [](const CodeOr&) {});
  }

  std::vector<std::string> payloads_;  // Before the world: its end ends what is pending.
  std::vector<int> done_;
  World world_{WithoutAliases()};
  RecordingOnFailure print_{world_};
  mqtt::Client& lamp_;
  mqtt::Client& home_;
};

TEST_F(FaultsTest, DropsTheSecondPubAckAndNoOther) {
  const FaultRule rule = world_.faults().To("lamp").Nth(2, PacketKind::kPubAck).Drop();
  for (int i = 1; i <= 3; ++i) {
    lamp_.Publish(mqtt::Message("state", "x"), [this, i](const CodeOr& code) {
      if (code.ok()) done_.push_back(i);
    });
    world_.RunUntilQuiet();
  }
  EXPECT_THAT(done_, ElementsAre(1, 3));
  EXPECT_EQ(rule.hits(), 1u);
  const auto acks = world_.recorder().To("lamp", PacketKind::kPubAck);
  ASSERT_THAT(acks, SizeIs(3));
  EXPECT_EQ(acks[1].fault, "dropped");
  EXPECT_EQ(acks[2].fault, "");
}

TEST_F(FaultsTest, ARuleForOneClientLeavesTheOtherAlone) {
  world_.faults().To("home").Every(PacketKind::kPubAck).Drop();
  EXPECT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("a", "b"))).ok());
}

TEST_F(FaultsTest, DelaysAPacketAndWhatIsBehindIt) {
  world_.faults().To("home").Next(PacketKind::kPublish).Delay(seconds(2));
  Publish("one");
  Publish("two");
  world_.Advance(seconds(1));
  EXPECT_THAT(payloads_, IsEmpty());
  world_.Advance(seconds(1));
  EXPECT_THAT(payloads_, ElementsAre("one", "two"));
}

TEST_F(FaultsTest, LatencyHoldsEverythingOneWay) {
  world_.faults().From("lamp").Latency(seconds(3));
  Publish("one");
  world_.Advance(seconds(2));
  Publish("two");
  EXPECT_THAT(payloads_, IsEmpty());
  world_.Advance(seconds(1));
  EXPECT_THAT(payloads_, ElementsAre("one"));
  world_.Advance(seconds(2));
  EXPECT_THAT(payloads_, ElementsAre("one", "two"));
}

TEST_F(FaultsTest, DuplicatesAPacket) {
  world_.faults().To("home").Next(PacketKind::kPublish).Duplicate();
  Publish("one", mqtt::QoS::kAtMostOnce);
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, ElementsAre("one", "one"));
}

TEST_F(FaultsTest, SwapsTwoPackets) {
  world_.faults().To("home").Next(PacketKind::kPublish).SwapWithNext();
  Publish("one");
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, IsEmpty());
  Publish("two");
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, ElementsAre("two", "one"));
}

TEST_F(FaultsTest, ASplitPacketIsStillAPacket) {
  world_.faults().From("lamp").Next(PacketKind::kPublish).SplitAt(1, seconds(1));
  Publish("one");
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, IsEmpty());
  world_.Advance(seconds(1));
  EXPECT_THAT(payloads_, ElementsAre("one"));
}

TEST_F(FaultsTest, EveryPacketMayBeSplitAnywhere) {
  for (std::size_t at = 0; at < 40; ++at) {
    FaultRule there = world_.faults().FromAll().Every().SplitAt(at);
    FaultRule back = world_.faults().ToAll().Every().SplitAt(at);
    payloads_.clear();
    ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("state", "split me"))).ok()) << at;
    EXPECT_THAT(payloads_, ElementsAre("split me")) << at;
    there.Remove();
    back.Remove();
  }
}

TEST_F(FaultsTest, ReplacesAPacketByAnything) {
  world_.faults().To("home").Next(PacketKind::kPublish).Replace([](const RecordedPacket& packet) {
    std::string bytes = packet.bytes;
    bytes.back() = '!';
    return bytes;
  });
  Publish("one");
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, ElementsAre("on!"));
}

TEST_F(FaultsTest, ACutBeforeAPacketLosesIt) {
  world_.faults().From("lamp").Next(PacketKind::kPublish).CutBefore();
  Publish("one", mqtt::QoS::kAtMostOnce);
  world_.RunUntilQuiet();
  EXPECT_NE(lamp_.state().kind, mqtt::ConnectionState::Kind::kConnected);
  EXPECT_THAT(payloads_, IsEmpty());
}

TEST_F(FaultsTest, ACutAfterAPacketLetsItArrive) {
  world_.faults().From("lamp").Next(PacketKind::kPublish).CutAfter();
  Publish("one", mqtt::QoS::kAtMostOnce);
  world_.RunUntilQuiet();
  EXPECT_NE(lamp_.state().kind, mqtt::ConnectionState::Kind::kConnected);
  EXPECT_THAT(payloads_, ElementsAre("one"));
}

TEST_F(FaultsTest, ACutIsSeenByBothSides) {
  EXPECT_EQ(world_.broker().statistics().connections, 2u);
  world_.faults().Cut("lamp");
  world_.RunUntilQuiet();
  EXPECT_EQ(world_.broker().statistics().connections, 1u);
  EXPECT_EQ(lamp_.state().kind, mqtt::ConnectionState::Kind::kWaiting);
  EXPECT_EQ(home_.state().kind, mqtt::ConnectionState::Kind::kConnected);
}

TEST_F(FaultsTest, AFrozenClientGetsItAllWhenItThaws) {
  world_.faults().To("home").Freeze();
  Publish("one");
  Publish("two");
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, IsEmpty());
  world_.faults().To("home").Thaw();
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, ElementsAre("one", "two"));
}

// The broker is slowed down by a client that does not read, as by a full socket.
TEST_F(FaultsTest, AFrozenClientPushesBack) {
  world_.faults().To("home").Freeze();
  const std::string large(50'000, 'x');
  for (int i = 0; i < 20; ++i) Publish(large, mqtt::QoS::kAtMostOnce);
  world_.RunUntilQuiet();
  EXPECT_THAT(world_.recorder().To("home", PacketKind::kPublish), SizeIs(::testing::Lt(12u)));
  world_.faults().To("home").Thaw();
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, SizeIs(20));
}

TEST_F(FaultsTest, ASilentNetworkIsNoticedByKeepAlive) {
  world_.faults().To("lamp").Freeze();
  world_.faults().From("lamp").Freeze();
  world_.Advance(minutes(2));
  EXPECT_NE(lamp_.state().kind, mqtt::ConnectionState::Kind::kConnected);
  EXPECT_EQ(world_.broker().statistics().connections, 1u);
  world_.faults().Heal();
  EXPECT_TRUE(world_.UntilConnected(lamp_).ok());
}

TEST_F(FaultsTest, FreezesAfterAPacket) {
  world_.faults().From("lamp").Next(PacketKind::kPublish).FreezeAfter();
  Publish("one");
  world_.RunUntilQuiet();
  Publish("two");
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, ElementsAre("one"));
  world_.faults().From("lamp").Thaw();
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, ElementsAre("one", "two"));
}

// The broker hears of it from the client's next connection (0x8E).
TEST_F(FaultsTest, AHalfOpenConnectionIsTakenOver) {
  world_.faults().Refuse("lamp");
  world_.faults().LeaveHalfOpen("lamp");
  world_.Advance(seconds(30));
  EXPECT_NE(lamp_.state().kind, mqtt::ConnectionState::Kind::kConnected);
  EXPECT_EQ(world_.broker().statistics().connections, 2u);
  world_.faults().Accept("lamp");
  ASSERT_TRUE(world_.UntilConnected(lamp_).ok());
  EXPECT_EQ(world_.broker().statistics().connections, 2u);
  EXPECT_THAT(world_.recorder().To("lamp"), Contains(HasReason(mqtt::ReasonCode::kSessionTakenOver)));
}

TEST_F(FaultsTest, RefusesUntilAccepted) {
  world_.faults().Refuse("lamp");
  world_.faults().Cut("lamp");
  world_.Advance(minutes(2));
  EXPECT_NE(lamp_.state().kind, mqtt::ConnectionState::Kind::kConnected);
  world_.faults().Accept("lamp");
  EXPECT_TRUE(world_.UntilConnected(lamp_).ok());
}

TEST_F(FaultsTest, ChoosesByTopicAndByAnythingElse) {
  world_.faults().To("home").Every(PacketKind::kPublish).About("state").Drop();
  world_.faults().To("home").Every().If([](const RecordedPacket& packet) { return packet.payload == "b"; }).Drop();
  ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("state", "a", mqtt::QoS::kAtMostOnce))).ok());
  ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("other", "b", mqtt::QoS::kAtMostOnce))).ok());
  ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("other", "c", mqtt::QoS::kAtMostOnce))).ok());
  world_.RunUntilQuiet();
  EXPECT_THAT(payloads_, ElementsAre("c"));
}

TEST_F(FaultsTest, SometimesIsAboutAsOftenAsSaid) {
  const FaultRule rule = world_.faults().To("home").Sometimes(0.25).Drop();
  for (int i = 0; i < 400; ++i) Publish("x", mqtt::QoS::kAtMostOnce);
  world_.RunUntilQuiet();
  EXPECT_GT(rule.hits(), 60u);
  EXPECT_LT(rule.hits(), 140u);
  EXPECT_EQ(payloads_.size() + rule.hits(), 400u);
}

TEST_F(FaultsTest, HealEndsAllOfThem) {
  world_.faults().ToAll().Every().Drop();
  world_.faults().FromAll().Freeze();
  world_.faults().FromAll().Latency(minutes(1));
  world_.faults().Heal();
  ASSERT_TRUE(world_.Run(lamp_.Publish(mqtt::Message("state", "a")), seconds(1)).ok());
  EXPECT_THAT(payloads_, ElementsAre("a"));
}

}  // namespace
