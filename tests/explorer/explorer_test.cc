// Thousands of random interleavings, each checked against what MQTT promises.
//
//   MQTTRPC_EXPLORER_SEED=n  runs that one seed, and prints it whole if it fails
//   MQTTRPC_EXPLORER_RUNS=n  runs n seeds instead of the usual number
#include "explorer.h"

#include <cstdlib>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

namespace mqttrpc::explorer {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

Features Supported() {
  Features features;
  features.maximum_qos = mqtt::QoS::kAtLeastOnce;
  features.sessions = false;
  features.retained = false;
  features.will_delay = false;
  return features;
}

TEST(ExplorerTest, NoInterleavingBreaksAPromise) {
  const std::uint64_t seed = FromEnvironment("MQTTRPC_EXPLORER_SEED", 0);
  const std::uint64_t runs = seed != 0 ? 1 : FromEnvironment("MQTTRPC_EXPLORER_RUNS", 2'000);
  const Exploration exploration = Explore(seed != 0 ? seed : 1, runs, Supported());
  std::cout << exploration.runs << " runs, " << exploration.events << " events\n";
  EXPECT_TRUE(exploration.report.empty()) << exploration.report;
}

TEST(ExplorerTest, TheSameSeedGivesTheSameRun) {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    const Outcome first = explorer::Run(Draw(seed, Supported()), nullptr, true);
    const Outcome second = explorer::Run(Draw(seed, Supported()), nullptr, true);
    EXPECT_EQ(first.recording, second.recording);
  }
}

}  // namespace
}  // namespace mqttrpc::explorer
