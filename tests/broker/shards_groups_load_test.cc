// Share groups over several shards whose members have more to do than they can.
#include "shards_fixture.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

namespace mqttrpc::test {
namespace {

// Room is told to all shards, so several may use the same: what comes too late goes on.
TEST(ShardsGroupLoadTest, NothingWaitsWhileAMemberOnAnotherShardIsIdle) {
  InManyOrders(
      [](Shards& shards) {
        std::vector<std::unique_ptr<RawClient>> busy;
        for (std::size_t i = 0; i < 3; ++i) {
          const std::string client_id = absl::StrCat("busy-", i);
          auto connect = ConnectAs(client_id);
          mqtt::Properties properties;
          properties.Set(mqtt::property::kReceiveMaximum, std::uint16_t{1});
          connect.properties = properties;
          busy.push_back(Connected(shards, connect));
          Subscribe(shards, *busy.back(), SubscribeTo("$share/g/t"));
        }
        auto idle = Connected(shards, absl::StrCat("idle-", shards.seed()));
        Subscribe(shards, *idle, SubscribeTo("$share/g/t"));
        std::vector<std::unique_ptr<RawClient>> publishers;
        for (std::size_t i = 0; i < shards.count(); ++i) publishers.push_back(ConnectedAt(shards, i, "publisher"));
        constexpr std::size_t kEach = 10;
        for (std::size_t i = 1; i <= kEach; ++i) {
          for (const auto& publisher : publishers) {
            publisher->Send(PublishOf("t", "x", static_cast<mqtt::PacketId>(i)));
            shards.Steps(static_cast<int>(shards.Draw(8)));
          }
        }
        shards.Settle();
        std::size_t arrived = idle->waiting();
        for (const auto& client : busy) arrived += client->waiting();
        EXPECT_EQ(arrived, kEach * publishers.size());
      },
      4);
}

// Neither can take any more. That is for the group to wait, not to pass on for ever.
TEST(ShardsGroupLoadTest, MessagesThatNoMemberCanTakeStayWhereTheyAre) {
  for (const bool lasting : {false, true}) {
    broker::BrokerOptions options;
    options.maximum_queued_messages = 10;
    Shards shards(3, 2, options);
    std::vector<std::unique_ptr<RawClient>> members;
    for (std::size_t i = 0; i < 2; ++i) {
      auto member = ConnectedAt(shards, i, "member");
      Subscribe(shards, *member, SubscribeTo("$share/g/t"));
      shards.Settle();
      member->Freeze();
      members.push_back(std::move(member));
    }
    auto publisher = Connected(shards, "publisher");
    const std::string large(200'000, 'x');
    for (int i = 0; i < 50; ++i)
      publisher->Send(PublishOf("t", large, static_cast<mqtt::PacketId>(lasting ? i + 1 : 0)));
    shards.Settle();  // It comes to rest.
    EXPECT_EQ(shards.Sum(&broker::Counters::messages_received), 50u);
    for (const auto& member : members) member->Thaw();
    shards.Settle();
    EXPECT_GT(members[0]->waiting(), 0u);
    EXPECT_GT(members[1]->waiting(), 0u);
  }
}

// The same by bytes, while their windows are open.
TEST(ShardsGroupLoadTest, MessagesTooLargeForAnyMemberStayWhereTheyAre) {
  broker::BrokerOptions options;
  options.maximum_queued_bytes = 1'000'000;  // Of a member, and of the group on each shard.
  options.maximum_total_queued_bytes = std::size_t{12} << 20;
  Shards shards(3, 2, options);
  std::vector<std::unique_ptr<RawClient>> members;
  for (std::size_t i = 0; i < 2; ++i) {
    members.push_back(ConnectedAt(shards, i, "member"));
    Subscribe(shards, *members.back(), SubscribeTo("$share/g/t"));
  }
  auto publisher = Connected(shards, "publisher");
  const std::string large(100'000, 'x');
  constexpr int kMessages = 25;
  for (int i = 1; i <= kMessages; ++i) publisher->Send(PublishOf("t", large, static_cast<mqtt::PacketId>(i)));
  shards.Rest();
  EXPECT_EQ(shards.dropped(), 0u);

  // What was taken once is not lost for the want of memory, wherever it goes.
  std::uint64_t refused = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string topic = absl::StrCat("r/", i);
    mqtt::Publish retained = PublishOf(topic, large, 1'000);
    retained.retain = true;
    while (publisher->waiting() > 0) publisher->NextRaw();
    publisher->Send(retained);
    shards.Rest();
    if (mqtt::IsError(publisher->Next<mqtt::PubAck>().reason_code)) ++refused;
  }
  EXPECT_GT(refused, 0u) << "memory is not tight";
  std::size_t got = 0;
  for (int i = 0; i < 200; ++i) {
    for (const auto& member : members) got += Messages(*member).size();
    shards.Rest();
  }
  EXPECT_EQ(got, kMessages);
}

// One that fits nobody who has anything else waits for a member to finish, and small ones
// that come later do not fill that one again and again: as on one shard.
TEST(ShardsGroupLoadTest, ALargeMessageGetsItsTurnBesideSmallOnes) {
  broker::BrokerOptions options;
  options.maximum_queued_bytes = 1'000'000;
  Shards shards(3, 2, options);
  struct Member {
    std::unique_ptr<RawClient> client;
    std::deque<std::vector<mqtt::PacketId>> unacknowledged;
  };
  std::vector<Member> members(2);
  std::vector<std::unique_ptr<RawClient>> publishers;
  for (std::size_t i = 0; i < 2; ++i) {
    members[i].client = ConnectedAt(shards, i, "member");
    Subscribe(shards, *members[i].client, SubscribeTo("$share/g/t"));
    publishers.push_back(ConnectedAt(shards, i, "publisher"));
  }
  bool arrived = false;
  // Each acknowledges two rounds later.
  const auto read = [&](Member& member) {
    auto& batches = member.unacknowledged;
    batches.emplace_back();
    while (member.client->waiting() > 0) {
      const auto publish = member.client->Next<mqtt::Publish>();
      arrived = arrived || publish.payload.size() > 900'000;
      batches.back().push_back(publish.packet_id);
    }
    if (batches.size() <= 2) return;
    for (const mqtt::PacketId packet_id : batches.front()) {
      mqtt::PubAck ack;
      ack.packet_id = packet_id;
      member.client->Send(ack);
    }
    batches.pop_front();
  };
  mqtt::PacketId packet_id = 0;
  const auto publish = [&](RawClient& publisher, std::size_t bytes) {
    publisher.Send(PublishOf("t", std::string(bytes, 'x'), ++packet_id));
    while (publisher.waiting() > 0) publisher.NextRaw();
  };
  const auto round = [&] {
    for (const auto& publisher : publishers) publish(*publisher, 300);
    shards.Rest();
    for (Member& member : members) read(member);
    shards.Rest();
  };
  for (int i = 0; i < 10; ++i) round();
  publish(*publishers[0], 999'900);
  shards.Rest();
  for (int i = 0; i < 20 && !arrived; ++i) round();
  EXPECT_TRUE(arrived);
}

// What was too large for a member says nothing of what is not.
TEST(ShardsGroupLoadTest, SmallMessagesGoToAMemberThatALargeOneDidNotFit) {
  broker::BrokerOptions options;
  options.maximum_queued_bytes = 1'000'000;
  Shards shards(3, 2, options);
  auto half_full = ConnectedAt(shards, 0, "half-full");
  Subscribe(shards, *half_full, SubscribeTo("$share/g/t"));
  auto there = ConnectedAt(shards, 0, "publisher");
  auto here = ConnectedAt(shards, 1, "publisher");
  there->Send(PublishOf("t", std::string(600'000, 'x'), 1));
  shards.Rest();
  ASSERT_EQ(half_full->waiting(), 1u);
  auto other = ConnectedAt(shards, 1, "other");
  Subscribe(shards, *other, SubscribeTo("$share/g/t"));
  there->Send(PublishOf("t", std::string(500'000, 'x'), 2));
  shards.Rest();
  ASSERT_EQ(Messages(*other).size(), 1u);
  other->Send(mqtt::Disconnect());
  shards.Rest();
  for (mqtt::PacketId packet_id = 1; packet_id <= 5; ++packet_id) here->Send(PublishOf("t", "small", packet_id));
  shards.Rest();
  EXPECT_EQ(half_full->waiting(), 6u);
}

}  // namespace
}  // namespace mqttrpc::test
