#include "router.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace mqttrpc::broker {
namespace {

using mqtt::QoS;

// A member that says how much it can take, and counts.
struct Member final : RouteTarget {
  Outbox::Outcome Deliver(Delivery) override {
    ++delivered;
    return Outbox::Outcome::kQueued;
  }
  std::optional<std::size_t> LoadFor(const Delivery&) const override {
    ++asked;
    return delivered < most ? std::optional(delivered) : std::nullopt;
  }
  void DeliverHeld(Delivery) override { ++delivered; }
  bool Listens() const override { return true; }
  Outbox::Room room() const override { return {delivered < most ? most - delivered : 0, 1'000'000}; }

  std::size_t most = 1'000'000;
  std::size_t delivered = 0;
  mutable std::size_t asked = 0;
};

// Notes what goes to other shards.
struct Outlet final : ShardOutlet {
  std::size_t index() const override { return 0; }
  void Send(std::size_t, const MessageRef&) override {}
  void SendToGroup(const ShareGroup::Elsewhere& members, const MessageRef&, GroupPast past) override {
    sent.emplace_back(members.shard, past);
  }
  void OnGroupChanged(ShareGroup&) override {}
  void OnGroupEnd(const ShareGroup&) override {}

  std::vector<std::pair<std::size_t, GroupPast>> sent;
};

class RouterTest : public ::testing::Test {
 protected:
  ~RouterTest() override {
    for (const auto& member : members_) router_.subscriptions().RemoveAll(*member);
  }

  Member& NewMember() { return *members_.emplace_back(std::make_unique<Member>()); }
  void Subscribe(Member& member, std::string_view topic_filter) {
    SubscriptionOptions options;
    options.qos = QoS::kAtLeastOnce;
    router_.subscriptions().Subscribe(member, topic_filter, options);
  }
  MessageRef MessageTo(std::string_view topic_name) {
    mqtt::Publish publish;
    publish.qos = QoS::kAtLeastOnce;
    return SharedMessage::Copy(budget_, publish, topic_name, {});
  }
  std::size_t asked() const {
    std::size_t sum = 0;
    for (const auto& member : members_) sum += member->asked;
    return sum;
  }

  MemoryBudget budget_{100'000'000};
  Counters counters_;
  std::atomic<std::size_t> subscription_bytes_{0};
  std::vector<std::unique_ptr<Member>> members_;
  Outlet outlet_;
  Router router_{Outbox::Limits(100'000, 10'000'000), budget_, counters_};
};

TEST_F(RouterTest, GivesEachMessageToTheMemberWithTheLeastToDo) {
  for (int i = 0; i < 10; ++i) Subscribe(NewMember(), "$share/g/t");
  members_[3]->delivered = 5;
  const MessageRef message = MessageTo("t");
  for (int i = 0; i < 90; ++i) router_.Route(message, nullptr);
  for (const auto& member : members_) {
    EXPECT_GE(member->delivered, 9u);
    EXPECT_LE(member->delivered, 10u);
  }
}

// Thousands of members times thousands of messages would hold all others up.
TEST_F(RouterTest, AsksThoseWhoCanTakeNothingOnceForAllThatAMemberLeaves) {
  constexpr std::size_t kMembers = 1'000;
  constexpr std::size_t kMessages = 2'000;
  for (std::size_t i = 0; i < kMembers; ++i) {
    Subscribe(NewMember(), "$share/g/t");
    members_.back()->most = i % 100 == 0 ? kMessages : 0;
  }
  std::vector<Delivery> left;
  for (std::size_t i = 0; i < kMessages; ++i) {
    left.emplace_back(MessageTo("t"), QoS::kAtLeastOnce);
    left.back().group = members_[0]->shares()[0]->group->id();
  }
  router_.Redistribute(std::move(left));
  for (std::size_t i = 0; i < kMembers; i += 100) EXPECT_EQ(members_[i]->delivered, kMessages / 10);
  EXPECT_LT(asked(), kMembers + 20 * kMessages);
}

TEST_F(RouterTest, GivesOnToTheLeastLoadedWhoStillHasRoom) {
  const std::vector<std::pair<std::size_t, std::size_t>> loads_and_room = {{1, 2}, {5, 100}, {3, 100}};
  for (const auto& [load, room] : loads_and_room) {
    Subscribe(NewMember(), "$share/g/t");
    members_.back()->delivered = load;
    members_.back()->most = room;
  }
  std::vector<Delivery> left;
  for (int i = 0; i < 4; ++i) {
    left.emplace_back(MessageTo("t"), QoS::kAtLeastOnce);
    left.back().group = members_[0]->shares()[0]->group->id();
  }
  router_.Redistribute(std::move(left));
  EXPECT_EQ(members_[0]->delivered, 2u);
  EXPECT_EQ(members_[1]->delivered + members_[2]->delivered, 11u);
  EXPECT_GE(members_[2]->delivered, 5u);
}

TEST_F(RouterTest, KeepsWithTheGroupWhatNobodyCanTake) {
  for (int i = 0; i < 5; ++i) {
    Subscribe(NewMember(), "$share/g/t");
    members_.back()->most = 3;
  }
  std::vector<Delivery> left;
  for (int i = 0; i < 20; ++i) {
    left.emplace_back(MessageTo("t"), QoS::kAtLeastOnce);
    left.back().group = members_[0]->shares()[0]->group->id();
  }
  router_.Redistribute(std::move(left));
  for (const auto& member : members_) EXPECT_EQ(member->delivered, 3u);
  EXPECT_EQ(members_[0]->shares()[0]->group->backlog().size(), 5u);
}

// Memory is tight, so that it cannot wait here; but it need not, once.
TEST_F(RouterTest, WhatOurMembersCannotTakeGoesToAThirdShardWhoseCan) {
  router_.set_outlet(&outlet_);
  router_.subscriptions().Join(3, subscription_bytes_);
  router_.subscriptions().set_on_interest([](std::string_view, bool) {});
  Subscribe(NewMember(), "$share/g/t");
  members_[0]->most = 0;
  ShareGroup& group = *members_[0]->shares()[0]->group;
  GroupState able;
  able.members = able.listening = able.room = 1;
  router_.OnGroupState(group, 2, 7, able);
  const MessageRef message = MessageTo("t");
  budget_.Take(70'000'000);
  router_.RouteToGroup(message, group.id(), GroupPast::kNew);
  EXPECT_EQ(outlet_.sent, std::vector({std::pair(std::size_t{2}, GroupPast::kRefused)}));

  // Not a second time, and what was kept already is kept.
  router_.OnGroupState(group, 2, 7, able);
  router_.RouteToGroup(message, group.id(), GroupPast::kRefused);
  EXPECT_EQ(counters_.Dropped(DropReason::kMemory).value(), 1u);
  router_.OnGroupState(group, 2, 7, GroupState());
  router_.RouteToGroup(message, group.id(), GroupPast::kKept);
  EXPECT_EQ(group.backlog().size(), 1u);
  EXPECT_EQ(outlet_.sent.size(), 1u);
  budget_.Give(70'000'000);
}

// Filters with "+" or "a" at each of `levels` levels: all of them match a topic of "a"s.
void SubscribeToAllMixtures(SubscriptionTree& tree, Subscriber& subscriber, int levels) {
  for (unsigned bits = 1; bits < 1u << levels; ++bits) {
    std::string topic_filter;
    for (int level = 0; level < levels; ++level) topic_filter += (bits >> level & 1) != 0 ? "+/" : "a/";
    topic_filter.pop_back();
    tree.Subscribe(subscriber, topic_filter, {});
  }
}

TEST_F(RouterTest, RefusesATopicThatLeadsToTooManyNodes) {
  constexpr int kLevels = 14;
  Member& member = NewMember();
  SubscribeToAllMixtures(router_.subscriptions(), member, kLevels);
  Subscribe(member, "$share/g/#");
  std::string deep = "a";
  for (int i = 1; i < kLevels; ++i) deep += "/a";
  const Router::Result result = router_.Route(MessageTo(deep), nullptr);
  EXPECT_EQ(result.matched, 1u);
  EXPECT_EQ(result.dropped, 1u);
  EXPECT_LT(result.work, 2 * Router::kMaximumNodes);
  EXPECT_EQ(member.delivered, 0u);
  EXPECT_EQ(counters_.Dropped(DropReason::kTooCostly).value(), 1u);

  EXPECT_EQ(router_.Route(MessageTo("a/a/a"), nullptr).dropped, 0u);  // For the share group.
  EXPECT_EQ(member.delivered, 1u);

  Member& exact = NewMember();  // It takes no search.
  Subscribe(exact, deep);
  EXPECT_EQ(router_.Route(MessageTo(deep), nullptr).matched, 2u);
  EXPECT_EQ(exact.delivered, 1u);
  EXPECT_EQ(member.delivered, 1u);
}

}  // namespace
}  // namespace mqttrpc::broker
