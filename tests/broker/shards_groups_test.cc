// Share groups with members on several shards.
#include "shards_fixture.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqttrpc::test {
namespace {

using ::testing::ElementsAreArray;

// MQTT 4.8.2
TEST(ShardsGroupsTest, EachMessageOfAShareGroupGoesToOneMember) {
  InManyOrders([](Shards& shards) {
    std::vector<std::unique_ptr<RawClient>> members;
    for (int i = 0; i < 6; ++i) {
      members.push_back(Connected(shards, absl::StrCat("m", i)));
      Subscribe(shards, *members.back(), SubscribeTo("$share/g/t"));
    }
    auto publisher = Connected(shards, "publisher");
    std::vector<std::string> expected, got;
    for (int i = 0; i < 120; ++i) {
      expected.push_back(absl::StrCat(i));
      publisher->Send(PublishOf("t", expected.back(), static_cast<mqtt::PacketId>(i + 1)));
      shards.Steps(static_cast<int>(shards.Draw(8)));
    }
    shards.Settle();
    for (const auto& member : members) {
      const auto messages = Messages(*member);
      EXPECT_GE(messages.size(), 5u);  // About 20 for each.
      got.insert(got.end(), messages.begin(), messages.end());
    }
    std::sort(expected.begin(), expected.end());
    std::sort(got.begin(), got.end());
    EXPECT_THAT(got, ElementsAreArray(expected));
  });
}

// MQTT-4.8.2-5: while there is a member anywhere, nothing waits for one that is gone.
TEST(ShardsGroupsTest, WhatADeadMemberHadGoesToOthersOnAnyShard) {
  InManyOrders([](Shards& shards) {
    std::vector<std::unique_ptr<RawClient>> members;
    for (int i = 0; i < 5; ++i) {
      const std::string client_id = absl::StrCat("m", i);
      auto connect = ConnectAs(client_id);
      mqtt::Properties properties;
      properties.Set(mqtt::property::kReceiveMaximum, std::uint16_t{3});
      properties.Set(mqtt::property::kSessionExpiryInterval, std::uint32_t{i % 2 == 0 ? 0u : 3600u});
      connect.properties = properties;
      members.push_back(Connected(shards, connect));
      Subscribe(shards, *members.back(), SubscribeTo("$share/g/t"));
    }
    auto publisher = Connected(shards, "publisher");
    std::set<std::string> expected, got;
    for (int i = 0; i < 40; ++i) {
      const std::string payload = absl::StrCat(i);
      expected.insert(payload);
      publisher->Send(PublishOf("t", payload, static_cast<mqtt::PacketId>(i + 1)));
      shards.Steps(static_cast<int>(shards.Draw(10)));
      // All but the last die, some with unacknowledged messages; what these had seen counts not.
      if (i % 9 == 8) members[static_cast<std::size_t>(i / 9)]->Drop();
    }
    for (int round = 0; round < 60; ++round) {
      shards.Settle();
      for (const std::string& message : Messages(*members.back())) got.insert(message);
    }
    EXPECT_THAT(got, ElementsAreArray(expected));
    EXPECT_EQ(shards.dropped(), 0u);
  });
}

TEST(ShardsGroupsTest, WhatWaitsForAShareGroupGoesToWhoeverComesFirst) {
  InManyOrders([](Shards& shards) {
    auto connect = ConnectAs("away");
    mqtt::Properties properties;
    properties.Set(mqtt::property::kSessionExpiryInterval, std::uint32_t{3600});
    connect.properties = properties;
    auto away = Connected(shards, connect);
    Subscribe(shards, *away, SubscribeTo("$share/g/t"));
    away->Drop();
    auto publisher = Connected(shards, "publisher");
    for (int i = 0; i < 10; ++i) {
      publisher->Send(PublishOf("t", absl::StrCat(i), static_cast<mqtt::PacketId>(i + 1)));
      shards.Steps(static_cast<int>(shards.Draw(30)));
    }
    auto other = Connected(shards, absl::StrCat("other-", shards.seed()));
    Subscribe(shards, *other, SubscribeTo("$share/g/t"));
    shards.Settle();
    EXPECT_EQ(Messages(*other).size(), 10u);
  });
}

}  // namespace
}  // namespace mqttrpc::test
