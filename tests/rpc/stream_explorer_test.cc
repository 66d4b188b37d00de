// Thousands of small worlds in which streams are cut, forgotten and doubled, by seed:
// MQTTRPC_EXPLORE_SEED=17 runs one of them, MQTTRPC_EXPLORE_RUNS=5000 that many,
// MQTTRPC_EXPLORE_TRACE=1 prints what was sent.
#include "stream_explorer.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace mqttrpc::test {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

// What was planted is seen within so many runs.
constexpr std::uint64_t kRunsToFind = 60;

bool Finds(Planted planted) {
  for (std::uint64_t seed = 1; seed <= kRunsToFind; ++seed) {
    if (!ExploreStreams(seed, planted).complaints.empty()) return true;
  }
  return false;
}

TEST(StreamExplorerTest, NothingIsLostDoubledOrReordered) {
  const std::uint64_t one = FromEnvironment("MQTTRPC_EXPLORE_SEED", 0);
  const std::uint64_t first = one > 0 ? one : 1;
  const std::uint64_t last = one > 0 ? one : FromEnvironment("MQTTRPC_EXPLORE_RUNS", 80);
  Exploration all;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const Exploration run = ExploreStreams(seed);
    all.calls += run.calls;
    all.completed += run.completed;
    all.unknown += run.unknown;
    all.cuts += run.cuts;
    all.restarts += run.restarts;
    for (const std::string& complaint : run.complaints) ADD_FAILURE() << complaint;
  }
  std::printf("%d calls, %d cuts, %d restarts: %d completed, %d lost before they had begun\n", all.calls, all.cuts,
              all.restarts, all.completed, all.unknown);
  if (one > 0) return;
  EXPECT_GT(all.cuts, 0);
  EXPECT_GT(all.restarts, 0);
  EXPECT_GT(all.completed, all.calls * 8 / 10);
}

TEST(StreamExplorerTest, ItWouldSeeThatResumptionIsNotHeard) { EXPECT_TRUE(Finds(Planted::kResumeUnheard)); }

TEST(StreamExplorerTest, ItWouldSeePayloadsSwapped) { EXPECT_TRUE(Finds(Planted::kPayloadsSwapped)); }

}  // namespace
}  // namespace mqttrpc::test
