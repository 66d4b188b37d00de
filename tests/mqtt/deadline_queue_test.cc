#include "mqttrpc/mqtt/deadline_queue.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace mqttrpc::mqtt {
namespace {

using Entry = DeadlineQueue::Entry;

TimePoint At(int seconds) { return TimePoint() + std::chrono::seconds(seconds); }

TEST(DeadlineQueueTest, NextIsNeverWhenEmpty) {
  DeadlineQueue queue;
  EXPECT_EQ(queue.Next(), kNever);
  EXPECT_EQ(queue.PopDue(At(1'000'000)), nullptr);
}

TEST(DeadlineQueueTest, PopsInOrderAndOnlyWhatIsDue) {
  DeadlineQueue queue;
  Entry late, soon, middle;
  queue.Schedule(late, At(30));
  queue.Schedule(soon, At(10));
  queue.Schedule(middle, At(20));
  EXPECT_EQ(queue.Next(), At(10));
  EXPECT_EQ(queue.PopDue(At(9)), nullptr);
  EXPECT_EQ(queue.PopDue(At(20)), &soon);
  EXPECT_FALSE(soon.scheduled());
  EXPECT_EQ(queue.PopDue(At(20)), &middle);
  EXPECT_EQ(queue.PopDue(At(20)), nullptr);
  EXPECT_EQ(queue.Next(), At(30));
  queue.Cancel(late);
  EXPECT_EQ(queue.size(), 0u);
}

TEST(DeadlineQueueTest, ScheduleMovesAndNeverCancels) {
  DeadlineQueue queue;
  Entry a, b;
  queue.Schedule(a, At(10));
  queue.Schedule(b, At(20));
  queue.Schedule(a, At(30));
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.Next(), At(20));
  queue.Schedule(a, At(5));
  EXPECT_EQ(queue.Next(), At(5));
  queue.Schedule(a, kNever);
  EXPECT_FALSE(a.scheduled());
  EXPECT_EQ(queue.Next(), At(20));
  queue.Cancel(a);  // Twice does no harm.
  queue.Cancel(b);
}

TEST(DeadlineQueueTest, BehavesAsASortedListUnderRandomUse) {
  DeadlineQueue queue;
  std::array<Entry, 64> entries;
  std::minstd_rand random(3);
  for (int i = 0; i < 50'000; ++i) {
    Entry& entry = entries[random() % entries.size()];
    switch (random() % 4) {
      case 0: queue.Cancel(entry); break;
      case 1: {
        TimePoint earliest = kNever;
        for (const Entry& each : entries) {
          if (each.scheduled()) earliest = std::min(earliest, each.deadline());
        }
        ASSERT_EQ(queue.Next(), earliest);
        Entry* due = queue.PopDue(At(500));
        ASSERT_EQ(due != nullptr, earliest <= At(500));
        if (due != nullptr) {
          ASSERT_EQ(due->deadline(), earliest);
        }
        break;
      }
      default: queue.Schedule(entry, At(static_cast<int>(random() % 1000)));
    }
    const auto scheduled = std::count_if(entries.begin(), entries.end(), [](const Entry& e) { return e.scheduled(); });
    ASSERT_EQ(queue.size(), static_cast<std::size_t>(scheduled));
  }
  for (Entry& each : entries) queue.Cancel(each);
}

}  // namespace
}  // namespace mqttrpc::mqtt
