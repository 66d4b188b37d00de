// One shard has more to do for another than it can.
#include "shards_fixture.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

namespace mqttrpc::test {
namespace {

broker::BrokerOptions WithMemory(std::size_t bytes) {
  broker::BrokerOptions options;
  options.maximum_total_queued_bytes = bytes;
  return options;
}

// On shard 0 many subscribers of one topic, on shard 1 somebody who publishes to it.
class ShardsLoadTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kSubscribers = 100;
  static constexpr std::size_t kFlood = 1'000;

  ShardsLoadTest() {
    for (std::size_t i = 0; i < kSubscribers; ++i) {
      subscribers_.push_back(ConnectedAt(shards_, 0, absl::StrCat("subscriber-", i)));
      Subscribe(shards_, *subscribers_.back(), SubscribeTo("flood"));
    }
    publisher_ = ConnectedAt(shards_, 1, "publisher");
    publisher_->Send(PublishOf("flood", "what it costs"));
    shards_.Settle();
    for (const auto& subscriber : subscribers_) subscriber->Next<mqtt::Publish>();
  }

  void Flood() {
    for (std::size_t i = 0; i < kFlood; ++i) publisher_->Send(PublishOf("flood", absl::StrCat(i)));
  }
  // Clients are fast: what they have got is what the broker has done.
  void Until(const std::function<bool()>& done) {
    shards_.Until([&] {
      shards_.ServeClients();
      return done();
    });
  }
  Shards shards_{7, 5};
  std::vector<std::unique_ptr<RawClient>> subscribers_;
  std::unique_ptr<RawClient> publisher_;
};

TEST_F(ShardsLoadTest, AQuietClientDoesNotWaitForTheMailOfAnotherShard) {
  auto quiet = ConnectedAt(shards_, 0, "quiet");
  Flood();
  Until([&] { return subscribers_.front()->waiting() > 0; });
  const std::size_t before = subscribers_.front()->waiting();
  quiet->Send(mqtt::PingReq());
  Until([&] { return quiet->waiting() > 0; });
  quiet->Next<mqtt::PingResp>();
  EXPECT_LT(subscribers_.front()->waiting() - before, kFlood / 4);
}

TEST_F(ShardsLoadTest, PublishersWaitForTheShardThatTheyFlood) {
  constexpr std::size_t kEach = 500;
  std::vector<std::unique_ptr<RawClient>> publishers;
  for (std::size_t shard = 1; shard < shards_.count(); ++shard) {
    publishers.push_back(ConnectedAt(shards_, shard, "another"));
  }
  for (const auto& publisher : publishers) {
    for (std::size_t i = 0; i < kEach; ++i) publisher->Send(PublishOf("flood", absl::StrCat(i)));
  }
  const std::size_t all = kEach * publishers.size();
  for (int i = 0; i < 100; ++i) {  // All but that shard run.
    for (std::size_t shard = 1; shard < shards_.count(); ++shard) shards_.Serve(shard);
    shards_.ServeClients();
  }
  EXPECT_LT(shards_.Sum(&broker::Counters::messages_received), all / 2);
  shards_.Settle();
  for (const auto& subscriber : subscribers_) EXPECT_EQ(subscriber->waiting(), all);
  EXPECT_EQ(shards_.dropped(), 0u);
}

// Who publishes little is not made to wait with the other.
TEST_F(ShardsLoadTest, AModestPublisherGoesOnMeanwhile) {
  auto modest = ConnectedAt(shards_, 1, "modest");
  auto listener = ConnectedAt(shards_, 1, "listener");
  Subscribe(shards_, *listener, SubscribeTo("modest"));
  Flood();
  Until([&] { return subscribers_.front()->waiting() > 0; });
  modest->Send(PublishOf("modest", "now"));
  Until([&] { return listener->waiting() > 0; });
  EXPECT_EQ(listener->Next<mqtt::Publish>().payload, "now");
  EXPECT_LT(subscribers_.front()->waiting(), kFlood / 2);
}

// Being released, it may be sent something before its turn comes.
TEST(ShardsHeldTest, AHeldClientThatIsSentMessagesGoesOnToo) {
  Shards shards(3, 3);
  auto slow = ConnectedAt(shards, 0, "slow");
  Subscribe(shards, *slow, SubscribeTo("flood", mqtt::QoS::kAtMostOnce));
  auto busy = ConnectedAt(shards, 1, "busy");
  Subscribe(shards, *busy, SubscribeTo("news", mqtt::QoS::kAtMostOnce));
  auto other = ConnectedAt(shards, 2, "other");
  shards.Settle();
  for (int i = 0; i < 60'000; ++i) busy->Send(PublishOf("flood", "x"));
  const auto received = [&] { return shards.shard(1).counters().messages_received.value(); };
  const auto serve_all_but_the_first = [&] {
    shards.ServeClients();
    shards.Serve(2);
    shards.Serve(1);
    shards.ServeClients();
  };
  for (int i = 0; i < 50; ++i) serve_all_but_the_first();
  ASSERT_LT(received(), 60'000u) << "nobody is held";
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t before = received();
    other->Send(PublishOf("news", "n"));
    shards.clock().Advance(std::chrono::milliseconds(100));
    serve_all_but_the_first();
    EXPECT_GT(received(), before) << i;
  }
}

// However far behind its shard is with messages of others.
TEST(ShardsLoadedTest, ASubscriptionFindsWhatWasRetainedBeforeIt) {
  Shards shards(1);
  std::vector<std::unique_ptr<RawClient>> subscribers;
  for (std::size_t i = 0; i < 30; ++i) {
    subscribers.push_back(ConnectedAt(shards, 0, absl::StrCat("subscriber-", i)));
    Subscribe(shards, *subscribers.back(), SubscribeTo("flood"));
  }
  auto late = ConnectedAt(shards, 0, "late");
  auto one = ConnectedAt(shards, 1, "one");
  auto other = ConnectedAt(shards, 2, "other");
  one->Send(PublishOf("flood", "what it costs"));
  shards.Settle();
  // A few turns' work for shard 0, and not so much that the two must wait.
  for (int i = 0; i < 250; ++i) {
    one->Send(PublishOf("flood", "1"));
    other->Send(PublishOf("flood", "2"));
  }
  auto retained = PublishOf("kept", "value", 1);
  retained.retain = true;
  one->Send(retained);
  for (int i = 0; i < 100 && one->waiting() == 0; ++i) {
    for (const std::size_t shard : {2, 1}) shards.Serve(shard);
    shards.ServeClients();
  }
  EXPECT_EQ(one->Next<mqtt::PubAck>().reason_code, mqtt::ReasonCode::kNoMatchingSubscribers);
  late->Send(SubscribeTo("kept"));
  shards.Settle();
  late->Next<mqtt::SubAck>();
  const auto publish = late->Next<mqtt::Publish>();
  EXPECT_TRUE(publish.retain);
  EXPECT_EQ(publish.payload, "value");
  EXPECT_EQ(late->waiting(), 0u);
}

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

// Every shard knows the filters of all, so each is charged as often: all of them together
// leave room for messages.
TEST(ShardsMemoryTest, SubscriptionsOfAllShardsLeaveRoomForMessages) {
  constexpr std::size_t kLimit = std::size_t{2} * 1024 * 1024;
  for (const std::string begin : {"+/", "$share/g/", "$share/g/+/"}) {
    SCOPED_TRACE(begin);
    Shards shards(5, 4, WithMemory(kLimit));
    std::vector<std::unique_ptr<RawClient>> clients;
    bool refused = false;
    for (std::size_t i = 0; i < 4; ++i) {
      clients.push_back(ConnectedAt(shards, i, "greedy"));
      for (int j = 0; j < 2'000; ++j) {
        clients.back()->Send(SubscribeTo(absl::StrCat(begin, i, "-", j)));
        shards.Settle();
        if (mqtt::IsError(clients.back()->Next<mqtt::SubAck>().reason_codes[0])) {
          refused = true;
          break;
        }
      }
    }
    EXPECT_TRUE(refused);
    EXPECT_LT(shards.Sum(&broker::Counters::memory_kept), kLimit / 8 * 5);
    auto modest = ConnectedAt(shards, 3, "modest");
    Subscribe(shards, *modest, SubscribeTo("t"));
    auto publisher = ConnectedAt(shards, 0, "publisher");
    publisher->Send(PublishOf("t", "through", 1));
    shards.Settle();
    ASSERT_EQ(modest->waiting(), 1u);
    EXPECT_EQ(modest->Next<mqtt::Publish>().payload, "through");
    clients.clear();
    modest->Drop();
    publisher->Drop();
    shards.Settle();
    EXPECT_LT(shards.Sum(&broker::Counters::memory_kept), 1'000u);  // What was charged was given back.
  }
}

// In one packet, before any other shard has heard of the first.
TEST(ShardsMemoryTest, FiltersOfOneSubscribeAreCountedForAllShardsAtOnce) {
  constexpr std::size_t kLimit = std::size_t{4} * 1024 * 1024;
  Shards shards(5, 8, WithMemory(kLimit));
  auto greedy = Connected(shards, "greedy");
  std::string levels;
  for (int i = 0; i < 200; ++i) levels += "/a";
  std::vector<std::string> filters;
  mqtt::Subscribe subscribe;
  subscribe.packet_id = 1;
  for (int i = 0; i < 300; ++i) filters.push_back(absl::StrCat("+/", i, levels));
  for (const std::string& filter : filters) {
    subscribe.entries.emplace_back();
    subscribe.entries.back().topic_filter = filter;
  }
  greedy->Send(subscribe);
  shards.Settle();
  EXPECT_TRUE(mqtt::IsError(greedy->Next<mqtt::SubAck>().reason_codes.back()));
  EXPECT_LT(shards.Sum(&broker::Counters::memory_kept), kLimit / 2);
}

// Each shard keeps them.
TEST(ShardsMemoryTest, RetainedMessagesOfAllShardsLeaveRoomForOthers) {
  constexpr std::size_t kLimit = std::size_t{4} * 1024 * 1024;
  Shards shards(5, 4, WithMemory(kLimit));
  auto publisher = Connected(shards, "publisher");
  const std::string payload(200'000, 'x');
  bool refused = false;
  for (int i = 0; i < 30; ++i) {
    const std::string topic = absl::StrCat("t/", i);
    auto retained = PublishOf(topic, payload, 1);
    retained.retain = true;
    publisher->Send(retained);
    shards.Settle();
    refused = mqtt::IsError(publisher->Next<mqtt::PubAck>().reason_code) || refused;
  }
  EXPECT_TRUE(refused);
  EXPECT_LT(shards.Sum(&broker::Counters::memory_kept), kLimit / 8 * 5);
  auto subscriber = Connected(shards, "subscriber");
  Subscribe(shards, *subscriber, SubscribeTo("live"));
  publisher->Send(PublishOf("live", "through", 1));
  shards.Settle();
  ASSERT_EQ(subscriber->waiting(), 1u);
  EXPECT_EQ(subscriber->Next<mqtt::Publish>().payload, "through");
}

// A shard's part of the memory is smaller than that.
TEST(ShardsMemoryTest, EachShardTakesOnePacketOfTheMaximumSize) {
  auto options = WithMemory(std::size_t{8} * 1024 * 1024);
  options.maximum_packet_size = 1'000'000;
  Shards shards(5, 8, options);
  const std::string payload(900'000, 'x');
  for (std::size_t i = 0; i < shards.count(); ++i) {
    auto client = ConnectedAt(shards, i, "large");
    client->Send(PublishOf("nobody", payload, 1));
    shards.Settle();
    EXPECT_EQ(client->Next<mqtt::PubAck>().reason_code, mqtt::ReasonCode::kNoMatchingSubscribers);
  }
}

}  // namespace
}  // namespace mqttrpc::test
