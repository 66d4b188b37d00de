// Thousands of random interleavings, each checked against what MQTT promises.
//
//   MQTTRPC_EXPLORER_SEED=n  runs that one seed, and prints it whole if it fails
//   MQTTRPC_EXPLORER_RUNS=n  runs n seeds instead of the usual number
#include "explorer.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "planted.h"

namespace mqttrpc::explorer {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// What the broker says of itself in CONNACK.
Features Ask() {
  testing::World world;
  mqtt::ClientOptions options;
  options.session_expiry = std::chrono::seconds(300);
  mqtt::Client& client = world.NewClient("asks", options);
  world.RunUntilQuiet();
  const mqtt::ConnectionState state = client.state();
  Features features;
  features.maximum_qos = static_cast<mqtt::QoS>(state.connack_properties.Get(mqtt::property::kMaximumQoS).value_or(2));
  features.retained = state.connack_properties.Get(mqtt::property::kRetainAvailable).value_or(1) != 0;
  features.sessions = state.session_expiry == options.session_expiry;
  features.will_delay = features.sessions;
  return features;
}

const Features& Supported() {
  static const Features kFeatures = Ask();
  return kFeatures;
}

TEST(ExplorerTest, NoInterleavingBreaksAPromise) {
  const std::uint64_t seed = FromEnvironment("MQTTRPC_EXPLORER_SEED", 0);
  const std::uint64_t runs = seed != 0 ? 1 : FromEnvironment("MQTTRPC_EXPLORER_RUNS", 2'000);
  const Exploration exploration = Explore(seed != 0 ? seed : 1, runs, Supported());
  std::cout << exploration.runs << " runs, " << exploration.events << " events, QoS 0 to "
            << static_cast<int>(Supported().maximum_qos) << (Supported().sessions ? ", sessions" : ", no sessions")
            << (Supported().retained ? ", retained messages\n" : ", no retained messages\n");
  EXPECT_TRUE(exploration.report.empty()) << exploration.report;
}

TEST(ExplorerTest, TheSameSeedGivesTheSameRun) {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    const Outcome first = explorer::Run(Draw(seed, Supported()), nullptr, true);
    const Outcome second = explorer::Run(Draw(seed, Supported()), nullptr, true);
    EXPECT_EQ(first.recording, second.recording);
  }
}

// That it would find mistakes: each is planted, and found within so many seeds.
struct Planted {
  const char* name;
  void (*plant)(testing::World&);
  const char* kind;  // Of the finding.
  int qos = 0;       // Where it can be found at all: from this Maximum QoS on, ...
  bool sessions = false;
  bool retained = false;
};

void PrintTo(const Planted& planted, std::ostream* out) { *out << planted.name; }

class ExplorerFindsTest : public ::testing::TestWithParam<Planted> {};

TEST_P(ExplorerFindsTest, WithinTwoHundredSeeds) {
  const Planted& planted = GetParam();
  const Exploration exploration = Explore(1, 200, Supported(), planted.plant, planted.kind);
  ASSERT_FALSE(exploration.findings.empty());
  EXPECT_THAT(exploration.findings, ::testing::Contains(::testing::StartsWith(std::string(planted.kind) + ":")));
  EXPECT_THAT(exploration.report, ::testing::HasSubstr("MQTTRPC_EXPLORER_SEED="));
}

std::vector<Planted> ThatCanBeFound() {
  const std::vector<Planted> all = {
      {"AMessageLost", planted::LosesAMessage, "lost", 1},
      {"AMessageOvertaken", planted::Reorders, "order"},
      {"QoS1Repeated", planted::RepeatsQoS1, "twice", 1},
      {"QoS2RepeatedUnderAFreshIdentifier", planted::RepeatsQoS2, "twice", 2},
      {"ARetainedMessageForgotten", planted::ForgetsRetained, "retained", 0, false, true},
      {"ARetainedMessageKept", planted::KeepsWhatWasCleared, "retained", 0, false, true},
      {"AWillLost", planted::LosesWills, "will"},
      {"AWillRepeated", planted::RepeatsWills, "will"},
      {"ASessionForgotten", planted::ForgetsSessions, "session", 0, true},
      {"ASessionKept", planted::KeepsSessions, "session", 0, true},
      {"AnExpiryForgotten", planted::ForgetsExpiry, "expired"},
      {"AnExpiryNotCountedDown", planted::StopsExpiry, "expired"},
      {"AQoSLowered", planted::LowersQoS, "unexpected", 1},
      {"ATopicChanged", planted::Renames, "unexpected"},
      {"AnAcknowledgementSwallowed", planted::SwallowsAcknowledgements, "stuck", 1},
      {"AReleaseSwallowed", planted::SwallowsReleases, "stuck", 2},
      {"ASubscriptionKept", planted::KeepsSubscriptions, "unexpected"},
  };
  std::vector<Planted> possible;
  const Features& features = Supported();
  std::copy_if(all.begin(), all.end(), std::back_inserter(possible), [&](const Planted& each) {
    return each.qos <= static_cast<int>(features.maximum_qos) && (!each.sessions || features.sessions) &&
           (!each.retained || features.retained);
  });
  return possible;
}

INSTANTIATE_TEST_SUITE_P(Planted, ExplorerFindsTest, ::testing::ValuesIn(ThatCanBeFound()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace mqttrpc::explorer
