#include "fifo.h"

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace mqttrpc::mqtt {
namespace {

TEST(FifoTest, GivesBackWhatCameFirst) {
  Fifo<std::string> queue;
  for (const char* each : {"a", "b", "c"}) queue.push(each);
  EXPECT_EQ(queue.front(), "a");
  EXPECT_EQ(queue.back(), "c");
  EXPECT_EQ(queue[1], "b");
  EXPECT_EQ(queue.pop(), "a");
  EXPECT_EQ(queue.PopBack(), "c");
  EXPECT_EQ(queue.pop(), "b");
  EXPECT_TRUE(queue.empty());
}

TEST(FifoTest, PrependsInOrder) {
  Fifo<int> queue;
  queue.Prepend({});
  EXPECT_TRUE(queue.empty());
  for (int i = 4; i < 7; ++i) queue.push(i);
  queue.Prepend({1, 2, 3});
  for (int i = 1; i < 7; ++i) EXPECT_EQ(queue.pop(), i);
}

TEST(FifoTest, LeavesNothingInWhatItWasMovedFrom) {
  Fifo<std::unique_ptr<int>> queue;
  queue.push(std::make_unique<int>(1));
  Fifo<std::unique_ptr<int>> other = std::move(queue);
  EXPECT_TRUE(queue.empty());  // NOLINT(bugprone-use-after-move): that is what it says.
  queue = std::move(other);
  EXPECT_TRUE(other.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(*queue.pop(), 1);
}

TEST(FifoTest, BehavesAsADequeUnderRandomUse) {
  Fifo<std::unique_ptr<int>> queue;
  std::deque<int> model;
  std::minstd_rand random(7);
  for (int i = 0; i < 200'000; ++i) {
    const auto choice = random() % 100;
    const bool grows = i / 5'000 % 2 == 0;  // Up to thousands, and down to nothing.
    if (choice < (grows ? 70 : 20)) {
      queue.push(std::make_unique<int>(i));
      model.push_back(i);
    } else if (choice < 95 && !model.empty()) {
      ASSERT_EQ(*queue.pop(), model.front());
      model.pop_front();
    } else if (choice < 98 && !model.empty()) {
      ASSERT_EQ(*queue.PopBack(), model.back());
      model.pop_back();
    } else if (choice == 98) {
      std::vector<std::unique_ptr<int>> first;
      for (int j = 0; j < 3; ++j) first.push_back(std::make_unique<int>(-j));
      model.insert(model.begin(), {0, -1, -2});
      queue.Prepend(std::move(first));
    } else if (i % 1'000 == 0) {
      queue.clear();
      model.clear();
    } else {
      queue.Trim();
    }
    ASSERT_EQ(queue.size(), model.size());
    if (!model.empty()) {
      const std::size_t index = random() % model.size();
      ASSERT_EQ(*queue[index], model[index]);
    }
  }
}

}  // namespace
}  // namespace mqttrpc::mqtt
