// One shard has more to do for another than it can.
#include "shards_fixture.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

namespace mqttrpc::test {
namespace {

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

}  // namespace
}  // namespace mqttrpc::test
