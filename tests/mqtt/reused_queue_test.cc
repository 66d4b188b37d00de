#include "reused_queue.h"

#include <deque>

#include <gtest/gtest.h>

namespace mqttrpc::mqtt {
namespace {

TEST(ReusedQueueTest, GivesBackInOrderHoweverLongItIsNeverEmpty) {
  ReusedQueue<int> queue;
  std::deque<int> expected;
  int next = 0;
  for (int round = 0; round < 2'000; ++round) {
    for (int i = 0; i < 3; ++i) {
      queue.emplace(next);
      expected.push_back(next++);
    }
    for (int i = 0; i < (round < 1'000 ? 2 : 4) && !expected.empty(); ++i) {
      ASSERT_FALSE(queue.empty());
      EXPECT_EQ(queue.front(), expected.front());
      queue.pop();
      expected.pop_front();
    }
    EXPECT_EQ(queue.empty(), expected.empty());
  }
}

TEST(ReusedQueueTest, IsAsNewAfterClear) {
  ReusedQueue<int> queue;
  for (int i = 0; i < 5'000; ++i) queue.emplace(i);
  queue.pop();
  queue.clear();
  EXPECT_TRUE(queue.empty());
  queue.emplace(7);
  EXPECT_EQ(queue.front(), 7);
}

}  // namespace
}  // namespace mqttrpc::mqtt
