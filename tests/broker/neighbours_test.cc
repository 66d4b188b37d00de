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
  options.maximum_total_queued_bytes = std::size_t{8} * 1024 * 1024;
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
    Join(core, session, kGroup);
    Settle();
    return session;
  }
  // One that is away.
  broker::Session& Away(const std::string& client_id) {
    broker::Session& session = *ours_.sessions.Open(client_id, false, {}).session;
    session.expiry = 100;
    return session;
  }
  static void Join(broker::BrokerCore& core, broker::Session& session, std::string_view group) {
    broker::SubscriptionOptions options;
    options.qos = mqtt::QoS::kAtLeastOnce;
    core.router.subscriptions().Subscribe(session, group, options);
  }

  // As they come to us; each member is sent what it can take.
  void PublishForTheGroup(int count, const std::string& payload = "x") {
    for (int i = 0; i < count; ++i) {
      const mqtt::Publish publish = PublishOf("t", payload, 1);
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

// One block here is as many there: the room that is told counts messages, not bytes.
TEST_F(NeighboursTest, WhatManyGroupsHaveKeptDoesNotBecomeMoreThanThereIsMemory) {
  constexpr std::size_t kGroups = 100;
  constexpr int kMessages = 20;
  const std::string payload(64'000, 'x');
  broker::Session& away = Away("away");
  for (std::size_t i = 0; i < kGroups; ++i) Join(ours_, away, absl::StrCat("$share/", i, "/t"));
  Settle();
  PublishForTheGroup(kMessages, payload);
  const std::size_t refused = ours_.counters.messages_dropped();
  ASSERT_LT(refused, kGroups * kMessages / 2);
  broker::Session& takes = *theirs_.sessions.Open("takes", false, {}).session;
  takes.Attach(peer_, {});
  for (std::size_t i = 0; i < kGroups; ++i) Join(theirs_, takes, absl::StrCat("$share/", i, "/t"));
  theirs_.router.Refill(takes);
  Settle();
  EXPECT_LT(ours_.budget.used() + theirs_.budget.used(), ours_.budget.limit() * 5 / 4);
  // As fast as the member gets rid of them, it gets them all.
  std::size_t got = 0;
  for (std::size_t before = 1; before > 0;) {
    before = 0;
    for (const mqtt::PacketId id : Sent(takes)) {
      takes.outbox().OnPubAck(id);
      ++before;
    }
    got += before;
    theirs_.router.Refill(takes);
    Settle();
  }
  EXPECT_EQ(got, kGroups * kMessages - refused);
}

class NeighboursGroupsTest : public NeighboursTest {
 protected:
  static constexpr std::size_t kGroups = 100;
  static constexpr std::size_t kAway = 50;

  // Of all groups.
  static void JoinAll(broker::BrokerCore& core, broker::Session& session) {
    for (std::size_t i = 0; i < kGroups; ++i) Join(core, session, absl::StrCat("$share/", i, "/t"));
  }
};

TEST_F(NeighboursGroupsTest, WhoChangesManyPaysForTellingOfThem) {
  broker::Session& member = *ours_.sessions.Open("member", false, {}).session;
  JoinAll(ours_, member);
  for (std::size_t i = 0; i < kAway; ++i) JoinAll(ours_, Away(absl::StrCat("away-", i)));
  Settle();
  ours_.work = 0;
  const std::size_t elsewhere = ours_.work_elsewhere;
  member.Attach(peer_, {});
  ours_.router.Refill(member);
  EXPECT_GE(ours_.work, kGroups * kAway);
  EXPECT_EQ(ours_.work_elsewhere, elsewhere);
  ours_.neighbours->OnInputHandled(0);
  EXPECT_GE(ours_.work_elsewhere, elsewhere + kGroups);
}

TEST_F(NeighboursGroupsTest, NobodyPaysForTellingOfWhatHadChangedBefore) {
  broker::Session& member = *ours_.sessions.Open("member", false, {}).session;
  JoinAll(ours_, member);
  Settle();
  member.Attach(peer_, {});
  ours_.router.Refill(member);
  const std::size_t elsewhere = ours_.work_elsewhere;
  const std::size_t work = ours_.work;
  ours_.neighbours->OnInputHandled(ours_.neighbours->changed_groups());  // Somebody else's, which changes none.
  EXPECT_EQ(ours_.work_elsewhere, elsewhere);
  EXPECT_EQ(ours_.work, work);
  Settle();
  const auto& told = theirs_.router.subscriptions().FindGroup("$share/0/t")->elsewhere();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told.front().state.listening, 1u);
}

}  // namespace
}  // namespace mqttrpc::test
