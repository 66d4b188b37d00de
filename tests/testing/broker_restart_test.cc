// Brokers that stop, crash and come back.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/testing/matchers.h"
#include "mqttrpc/testing/world.h"

namespace {

using ::testing::Contains;
using ::testing::Not;
using namespace mqttrpc::testing;
namespace mqtt = mqttrpc::mqtt;

TEST(BrokerRestartTest, AStoppedBrokerSaysGoodbye) {
  World world;
  world.NewClient("lamp");
  world.RunUntilQuiet();
  world.StopBroker();
  EXPECT_THAT(world.recorder().To("lamp", PacketKind::kDisconnect),
              Contains(HasReason(mqtt::ReasonCode::kServerShuttingDown)));
}

TEST(BrokerRestartTest, ACrashedBrokerDoesNot) {
  World world;
  world.NewClient("lamp");
  world.RunUntilQuiet();
  world.CrashBroker();
  EXPECT_THAT(world.recorder().To("lamp"), Not(Contains(OfKind(PacketKind::kDisconnect))));
}

TEST(BrokerRestartTest, ClientsComeBackToTheNextBroker) {
  World world;
  mqtt::Client& home = world.NewClient("home");
  std::vector<std::string> payloads;
  ASSERT_TRUE(
      world
          .Run(home.Subscribe(mqtt::Subscription("state"),
                              [&](const mqtt::MessageView& message) { payloads.emplace_back(message.payload); }))
          .ok());
  world.CrashBroker();
  world.Advance(std::chrono::minutes(1));
  EXPECT_NE(home.state().kind, mqtt::ConnectionState::Kind::kConnected);
  world.StartBroker();
  ASSERT_TRUE(world.UntilSubscribed("state").ok());
  ASSERT_TRUE(world.Run(home.Publish(mqtt::Message("state", "on"))).ok());
  EXPECT_THAT(payloads, ::testing::ElementsAre("on"));
}

}  // namespace
