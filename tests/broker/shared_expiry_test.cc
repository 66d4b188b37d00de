// Messages of a share group that expire while its one member is busy.
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/testing/matchers.h"
#include "mqttrpc/testing/world.h"

namespace {

using namespace mqttrpc::testing;
namespace mqtt = mqttrpc::mqtt;

TEST(SharedExpiryTest, WhatExpiredDoesNotStandInTheWayOfWhatDidNot) {
  std::vector<std::string> payloads;
  World world;
  RecordingOnFailure print(world);
  mqtt::ClientOptions options;
  options.receive_maximum = 1;
  options.keep_alive = std::chrono::seconds(0);
  mqtt::Client& member = world.NewClient("member", options);
  mqtt::Client& publisher = world.NewClient("publisher");
  ASSERT_TRUE(
      world
          .Run(member.Subscribe(mqtt::Subscription("$share/group/t"),
                                [&](const mqtt::MessageView& message) { payloads.emplace_back(message.payload); }))
          .ok());
  world.faults().To("member").Freeze();
  for (const char* payload : {"taken", "expires", "expires too"}) {
    mqtt::Message message("t", payload);
    message.properties.Set(mqtt::property::kMessageExpiryInterval, 20);
    ASSERT_TRUE(world.Run(publisher.Publish(message)).ok());
  }
  ASSERT_TRUE(world.Run(publisher.Publish(mqtt::Message("t", "stays"))).ok());
  world.Advance(std::chrono::seconds(30));
  world.faults().To("member").Thaw();
  world.RunUntilQuiet();
  EXPECT_THAT(payloads, ::testing::ElementsAre("taken", "stays"));
}

}  // namespace
