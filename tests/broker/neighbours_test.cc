#include "neighbours.h"

#include <cstddef>
#include <string>

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

}  // namespace
}  // namespace mqttrpc::test
