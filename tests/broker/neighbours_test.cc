#include "neighbours.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "broker_core.h"
#include "common_packets.h"

namespace mqttrpc::test {
namespace {

broker::BrokerOptions OfTwo() {
  broker::BrokerOptions options;
  options.shards = 2;
  return options;
}

// Two shards without streams.
class NeighboursTest : public ::testing::Test {
 protected:
  NeighboursTest() {
    ours_.Join(office_, 0, [] {});
    theirs_.Join(office_, 1, [] {});
  }

  // What the broker holds as far as we know.
  std::size_t Known() {
    ours_.neighbours->EndTurn();
    std::size_t room = 0;
    for (std::size_t step = ours_.budget.limit(); step > 0; step /= 2) {
      if (ours_.budget.HasRoomFor(room + step)) room += step;
    }
    return ours_.budget.limit() - room;
  }

  // Until neither has anything to tell the other any more.
  void Settle() {
    for (int i = 0; i < 6; ++i) {
      for (broker::BrokerCore* const core : {&ours_, &theirs_}) {
        core->work = 0;
        core->neighbours->Receive();
        core->neighbours->EndTurn();
        core->counters.memory_used.Set(core->budget.used());
        core->counters.memory_kept.Set(core->budget.kept_here());
      }
    }
  }

  // A member of "$share/g/t" who takes one message at a time.
  broker::Session& MemberOf(broker::BrokerCore& core, const std::string& client_id) {
    broker::Session& session = *core.sessions.Open(client_id, false, {}).session;
    session.expiry = 100;
    broker::PeerLimits limits;
    limits.receive_maximum = 1;
    session.Attach(peer_, limits);
    broker::SubscriptionOptions options;
    options.qos = mqtt::QoS::kAtLeastOnce;
    core.router.subscriptions().Subscribe(session, kGroup, options);
    Settle();
    return session;
  }

  // As they come to us; each member is sent what it can take.
  void PublishForTheGroup(int count) {
    for (int i = 0; i < count; ++i) {
      const mqtt::Publish publish = PublishOf("t", "x", 1);
      ours_.Publish(broker::SharedMessage::Copy(ours_.budget, publish, "t", {}), nullptr, {});
    }
    Settle();
  }
  static std::vector<mqtt::PacketId> Sent(broker::Session& member) {
    std::vector<mqtt::PacketId> ids;
    broker::Outbox::Outgoing outgoing;
    while (member.outbox().Next({}, outgoing)) ids.push_back(outgoing.packet_id);
    return ids;
  }
  std::size_t Waiting() {
    std::size_t waiting = 0;
    for (broker::BrokerCore* const core : {&ours_, &theirs_}) {
      if (const auto* group = core->router.subscriptions().FindGroup(kGroup)) {
        waiting += const_cast<broker::ShareGroup*>(group)->backlog().size();
      }
    }
    return waiting;
  }

  static constexpr std::string_view kGroup = "$share/g/t";

  class Peer final : public broker::SessionPeer {
   public:
    void OnWork() override {}
    bool Stalled() const override { return false; }
    void OnTakenOver(mqtt::TimePoint) override {}
  };

  Peer peer_;
  const broker::BrokerOptions options_ = OfTwo();
  broker::PostOffice office_{2, 1};
  broker::BrokerCore ours_{options_}, theirs_{options_};
};

// Until its own turn ends, nobody but the one who handles it could tell.
TEST_F(NeighboursTest, WhatAnotherShardHasHandledIsCountedAtOnce) {
  constexpr std::size_t kBytes = 100'000;
  const std::string payload(kBytes, 'x');
  mqtt::Publish retained = PublishOf("t", payload);
  retained.retain = true;
  ASSERT_TRUE(ours_.neighbours->Broadcast(broker::SharedMessage::Copy(ours_.budget, retained, "t", {})));
  EXPECT_GE(Known(), kBytes) << "in the box";
  theirs_.neighbours->Receive();
  EXPECT_GE(Known(), kBytes) << "handled";
}

// It was accepted. And if there is still no memory when room for it is told, nobody tells again.
TEST_F(NeighboursTest, WhatAGroupHasKeptGoesToAMemberElsewhereThoughMemoryIsUsedUp) {
  broker::Session& member = MemberOf(theirs_, "theirs");
  PublishForTheGroup(2);
  const auto sent = Sent(member);
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(Waiting(), 1u);
  const std::size_t all = ours_.budget.limit();
  ours_.budget.Take(all);
  Settle();
  ASSERT_TRUE(ours_.budget.exhausted());
  member.outbox().OnPubAck(sent.front());
  theirs_.router.Refill(member);
  Settle();
  EXPECT_EQ(Sent(member).size(), 1u);
  EXPECT_EQ(Waiting(), 0u);
  ours_.budget.Give(all);
}

TEST_F(NeighboursTest, AGroupKeepsAllItHasWhenAMemberLeavesAndAnotherShardsListens) {
  MemberOf(theirs_, "theirs");
  broker::Session& leaves = MemberOf(ours_, "ours");
  constexpr int kMessages = 40;
  PublishForTheGroup(kMessages);
  ASSERT_EQ(Waiting(), kMessages - 2u);
  const std::size_t much = ours_.budget.limit() / 8 * 5;
  ours_.budget.Take(much);
  Settle();
  leaves.Detach();
  Settle();
  EXPECT_EQ(Waiting(), kMessages - 1u);
  EXPECT_EQ(ours_.counters.messages_dropped() + theirs_.counters.messages_dropped(), 0u);
  ours_.budget.Give(much);
}

TEST_F(NeighboursTest, WhoChangesManyGroupsPaysForTellingOfThem) {
  constexpr std::size_t kGroups = 100;
  constexpr std::size_t kAway = 50;
  broker::SubscriptionOptions options;
  options.qos = mqtt::QoS::kAtLeastOnce;
  broker::Session& member = *ours_.sessions.Open("member", false, {}).session;
  const auto subscribe = [&](broker::Session& session) {
    for (std::size_t i = 0; i < kGroups; ++i) {
      ours_.router.subscriptions().Subscribe(session, absl::StrCat("$share/g/", i), options);
    }
  };
  subscribe(member);
  for (std::size_t i = 0; i < kAway; ++i) {
    broker::Session& away = *ours_.sessions.Open(absl::StrCat("away-", i), false, {}).session;
    away.expiry = 100;
    subscribe(away);
  }
  Settle();
  ours_.work = 0;
  const std::size_t elsewhere = ours_.work_elsewhere;
  member.Attach(peer_, {});
  ours_.router.Refill(member);
  EXPECT_GE(ours_.work, kGroups * kAway);
  EXPECT_EQ(ours_.work_elsewhere, elsewhere);
  ours_.neighbours->OnInputHandled();
  EXPECT_GE(ours_.work_elsewhere, elsewhere + kGroups);
}

}  // namespace
}  // namespace mqttrpc::test
