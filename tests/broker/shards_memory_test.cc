// What all shards together keep has the limits of one broker.
#include "shards_fixture.h"

#include <cstddef>
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
