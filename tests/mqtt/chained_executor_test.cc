#include "chained_executor.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <gtest/gtest.h>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

namespace mqttrpc::mqtt {
namespace {

class Step final : public ChainedExecutor::Target {
 public:
  explicit Step(absl::AnyInvocable<void(int)> act) : act_(std::move(act)) {}

 private:
  void OnChained(int what) override { act_(what); }

  absl::AnyInvocable<void(int)> act_;
};

std::shared_ptr<Step> Does(absl::AnyInvocable<void(int)> act) { return std::make_shared<Step>(std::move(act)); }

class ChainedExecutorTest : public testing::Test {
 protected:
  void Say(const std::string& what) { said_ += what + " "; }

  asio::io_context io_;
  const ChainedExecutor executor_{io_.get_executor()};
  std::string said_;
};

TEST_F(ChainedExecutorTest, RunsWhatFollowsInOneHandlerOfTheEventLoop) {
  std::shared_ptr<Step> step = Does([&](int left) {
    Say(std::to_string(left));
    if (left == 0) return;
    executor_.Post(step, left - 1);
    Say("posted");
  });
  executor_.Post(step, 2);
  EXPECT_EQ(said_, "") << "called from inside Post";
  EXPECT_EQ(io_.run_one(), 1U);
  EXPECT_EQ(said_, "2 posted 1 posted 0 ");
  io_.run();
  EXPECT_EQ(said_, "2 posted 1 posted 0 ");
}

TEST_F(ChainedExecutorTest, RunsInTheOrderOfThePosts) {
  const std::shared_ptr<Step> step = Does([&](int which) { Say(std::to_string(which)); });
  const ChainedExecutor other(asio::make_strand(io_));
  executor_.Post(step, 1);
  other.Post(step, 2);
  executor_.Post(step, 3);
  io_.run();
  EXPECT_EQ(said_, "1 2 3 ");
}

TEST_F(ChainedExecutorTest, LetsOthersRunHoweverLongItGoesOn) {
  bool others_ran = false;
  int ran = 0;
  std::shared_ptr<Step> step = Does([&](int) {
    ++ran;
    if (!others_ran && ran < 1000) executor_.Post(step, 0);
  });
  executor_.Post(step, 0);
  asio::post(io_, [&] { others_ran = true; });
  io_.run();
  EXPECT_TRUE(others_ran);
  EXPECT_LT(ran, 1000);
}

TEST_F(ChainedExecutorTest, LetsOthersRunAfterWhatMayTakeLong) {
  const std::shared_ptr<Step> step = Does([&](int which) {
    Say(std::to_string(which));
    if (which == 1) asio::post(io_, [&] { Say("other"); });
  });
  executor_.Post(step, 1, ChainedExecutor::Then::kPause);
  executor_.Post(step, 2);
  executor_.Post(step, 3);
  io_.run();
  EXPECT_EQ(said_, "1 2 3 other ") << "a row was posted before the other was";
  said_.clear();
  io_.restart();
  asio::post(io_, [&] {
    executor_.Post(step, 4, ChainedExecutor::Then::kPause);
    executor_.Post(step, 5);
    asio::post(io_, [&] { Say("other"); });
  });
  io_.run();
  EXPECT_EQ(said_, "4 other 5 ");
}

TEST_F(ChainedExecutorTest, GoesOnInALoopWithinAHandler) {
  bool ran = false;
  const std::shared_ptr<Step> inner = Does([&](int) { ran = true; });
  executor_.Post(Does([&](int) {
                   while (!ran && io_.poll_one() > 0) {
                   }
                   Say(ran ? "ran" : "stuck");
                 }),
                 0);
  executor_.Post(inner, 0);
  io_.run();
  EXPECT_EQ(said_, "ran ");
}

TEST_F(ChainedExecutorTest, IsNeverInsideAnotherHandlerOfItsStrand) {
  const ChainedExecutor executor(asio::make_strand(io_));
  int depth = 0;
  std::shared_ptr<Step> step = Does([&](int left) {
    EXPECT_EQ(++depth, 1);
    if (left > 0) executor.Post(step, left - 1);
    while (io_.poll_one() > 0) {
    }
    --depth;
    Say(std::to_string(left));
  });
  executor.Post(step, 2);
  io_.run();
  EXPECT_EQ(said_, "2 1 0 ");
}

// The last to know a target may be the queue.
TEST_F(ChainedExecutorTest, TheEndOfATargetMayPost) {
  const std::shared_ptr<Step> last = Does([&](int) { Say("last"); });
  const auto at_the_end = [&](int* number) {
    executor_.Post(last, 0);
    delete number;
  };
  executor_.Post(Does([held = std::unique_ptr<int, decltype(at_the_end)>(new int, at_the_end)](int) {}), 0);
  io_.run();
  EXPECT_EQ(said_, "last ");
}

TEST_F(ChainedExecutorTest, StopsWithItsEventLoopAndGoesOnWithIt) {
  const std::shared_ptr<Step> step = Does([&](int which) {
    Say(std::to_string(which));
    io_.stop();
  });
  for (int which = 1; which <= 3; ++which) executor_.Post(step, which);
  io_.run();
  EXPECT_EQ(said_, "1 ");
  io_.restart();
  io_.run();
  EXPECT_EQ(said_, "1 2 ");
}

// Each by itself, before anything else runs.
TEST_F(ChainedExecutorTest, GoesOnAfterAHandlerHasThrown) {
  const std::shared_ptr<Step> step = Does([&](int which) {
    Say(std::to_string(which));
    if (which <= 2) throw std::runtime_error("on purpose");
  });
  for (int which = 1; which <= 3; ++which) executor_.Post(step, which);
  EXPECT_THROW(io_.run(), std::runtime_error);
  EXPECT_EQ(said_, "1 ");
  EXPECT_THROW(io_.run(), std::runtime_error);
  EXPECT_EQ(said_, "1 2 ");
  io_.run();
  EXPECT_EQ(said_, "1 2 3 ");
}

TEST_F(ChainedExecutorTest, RunsOneHandlerOfAStrandAtATimeOnManyThreads) {
  constexpr int kSteps = 20'000;
  struct Counter {
    explicit Counter(asio::io_context& io) : executor(asio::make_strand(io)) {}
    const ChainedExecutor executor;
    std::shared_ptr<Step> step;
    int ran = 0;  // Not atomic: the strand guards it.
  };
  Counter counters[] = {Counter(io_), Counter(io_), Counter(io_)};
  for (Counter& counter : counters) {
    counter.step = Does([&counter](int) {
      if (++counter.ran <= kSteps) counter.executor.Post(counter.step, 0);
    });
    for (int i = 0; i < 4; ++i) counter.executor.Post(counter.step, 0);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([this] { io_.run(); });
  for (std::thread& thread : threads) thread.join();
  for (Counter& counter : counters) {
    EXPECT_EQ(counter.ran, kSteps + 4);
    counter.step = nullptr;
  }
}

TEST_F(ChainedExecutorTest, PostsToWhatIsNoEventLoopOfAsios) {
  asio::thread_pool pool(1);
  const ChainedExecutor executor(pool.get_executor());
  executor.Post(Does([&](int which) { Say(std::to_string(which)); }), 1);
  pool.join();
  EXPECT_EQ(said_, "1 ");
}

TEST(ChainedExecutor, DropsWhatIsPostedAtTheEventLoopsEnd) {
  std::weak_ptr<Step> weak;
  {
    asio::io_context io;
    const ChainedExecutor executor(io.get_executor());
    std::shared_ptr<Step> step = Does([](int) { FAIL(); });
    weak = step;
    // Handlers end after our part of the io_context has.
    const auto at_the_end = [&executor, step = std::move(step)](int* number) {
      executor.Post(step, 0);
      delete number;
    };
    asio::post(io, [held = std::unique_ptr<int, decltype(at_the_end)>(new int, at_the_end)] {});
  }
  EXPECT_TRUE(weak.expired());
}

TEST(ChainedExecutor, DropsWhatDidNotRunWithTheEventLoop) {
  std::weak_ptr<Step> weak;
  {
    asio::io_context io;
    const ChainedExecutor executor(io.get_executor());
    const std::shared_ptr<Step> step = Does([](int) { FAIL(); });
    executor.Post(step, 0);
    weak = step;
  }
  EXPECT_TRUE(weak.expired());
}

}  // namespace
}  // namespace mqttrpc::mqtt
