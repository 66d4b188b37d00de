#include "mqttrpc/mqtt/environment.h"

#include <vector>

#include <gtest/gtest.h>
#include <asio/io_context.hpp>

#include "support/manual_clock.h"
#include "support/seeded_random.h"

namespace mqttrpc::mqtt {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(SystemClockTest, FiresOnceAtOrAfterItsTimeAndNeverFromArm) {
  asio::io_context io;
  const auto timer = SystemClock().NewTimer(io.get_executor());
  const TimePoint due = SystemClock().Now() + milliseconds(5);
  std::vector<TimePoint> fired;
  timer->Arm(due, [&] { fired.push_back(SystemClock().Now()); });
  EXPECT_TRUE(fired.empty());
  io.run();
  ASSERT_EQ(fired.size(), 1u);
  EXPECT_GE(fired[0], due);
}

TEST(SystemClockTest, ArmingAgainReplacesEarlierAndLaterDeadlines) {
  asio::io_context io;
  const auto timer = SystemClock().NewTimer(io.get_executor());
  std::string fired;
  timer->Arm(SystemClock().Now() + hours(1), [&] { fired += "a"; });
  timer->Arm(SystemClock().Now() + milliseconds(1), [&] { fired += "b"; });
  const TimePoint later = SystemClock().Now() + milliseconds(10);
  timer->Arm(later, [&] { fired += "c"; });
  io.run();
  EXPECT_EQ(fired, "c");
  EXPECT_GE(SystemClock().Now(), later);
}

TEST(SystemClockTest, DisarmedAndDestroyedTimersAreSilentAndLetTheLoopEnd) {
  asio::io_context io;
  auto disarmed = SystemClock().NewTimer(io.get_executor());
  auto destroyed = SystemClock().NewTimer(io.get_executor());
  bool fired = false;
  disarmed->Arm(SystemClock().Now() + hours(1), [&] { fired = true; });
  destroyed->Arm(SystemClock().Now(), [&] { fired = true; });
  disarmed->Disarm();
  destroyed.reset();
  io.run();
  EXPECT_FALSE(fired);
}

TEST(SystemClockTest, ATimerMayBeArmedAgainAndDestroyedWhenItFires) {
  asio::io_context io;
  auto timer = SystemClock().NewTimer(io.get_executor());
  int fired = 0;
  timer->Arm(SystemClock().Now(), [&] {
    ++fired;
    timer->Arm(SystemClock().Now(), [&] {
      ++fired;
      timer.reset();
    });
  });
  io.run();
  EXPECT_EQ(fired, 2);
}

TEST(ManualClockTest, FiresInTheOrderOfDeadlinesWithTimeStandingAtEach) {
  asio::io_context io;
  test::ManualClock clock(io);
  const TimePoint start = clock.Now();
  const auto a = clock.NewTimer(io.get_executor());
  const auto b = clock.NewTimer(io.get_executor());
  std::vector<Duration> fired;
  a->Arm(start + hours(2), [&] {
    fired.push_back(clock.Now() - start);
    a->Arm(clock.Now() + hours(1), [&] { fired.push_back(clock.Now() - start); });
  });
  b->Arm(start + hours(1), [&] { fired.push_back(clock.Now() - start); });
  clock.Advance(hours(5));
  EXPECT_EQ(fired, (std::vector<Duration>{hours(1), hours(2), hours(3)}));
  EXPECT_EQ(clock.Now() - start, hours(5));
}

TEST(ManualClockTest, ATimerDisarmedBetweenItsDeadlineAndItsTurnIsSilent) {
  asio::io_context io;
  test::ManualClock clock(io);
  const auto first = clock.NewTimer(io.get_executor());
  auto second = clock.NewTimer(io.get_executor());
  bool fired = false;
  first->Arm(clock.Now(), [&] { second.reset(); });
  second->Arm(clock.Now(), [&] { fired = true; });
  clock.RunUntilQuiet();
  EXPECT_FALSE(fired);
}

TEST(RandomTest, BelowStaysBelowAndReachesEveryValue) {
  test::SeededRandom random(7);
  std::vector<int> seen(5);
  for (int i = 0; i < 1000; ++i) ++seen.at(random.Below(5));
  for (const int count : seen) EXPECT_GT(count, 150);
  EXPECT_EQ(random.Below(1), 0u);
  EXPECT_EQ(random.Below(0), 0u);
}

TEST(RandomTest, TheSystemsBytesDiffer) { EXPECT_NE(SystemRandom().Next(), SystemRandom().Next()); }

TEST(LogTest, WithoutASinkNothingIsWanted) { EXPECT_FALSE(Environment().log->Wants(LogLevel::kError)); }

}  // namespace
}  // namespace mqttrpc::mqtt
