// What a run does, drawn from a seed before it begins: so a run can be repeated
// with some of it left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "history.h"
#include "mqttrpc/mqtt/qos.h"
#include "mqttrpc/testing/recorded_packet.h"

namespace mqttrpc::explorer {

// What the broker and client under test can do at all.
struct Features {
  Features() = default;

  mqtt::QoS maximum_qos = mqtt::QoS::kExactlyOnce;
  bool sessions = true;  // That outlive their connections.
  bool retained = true;
  bool will_delay = true;
};

// How one client is made, and what it may subscribe to.
struct Actor {
  Actor() = default;

  ClientPlan plan;
  enum class Style : std::uint8_t { kExact, kWildcard, kShared } style = Style::kExact;
  mqtt::QoS least_qos = mqtt::QoS::kAtMostOnce;    // That it subscribes with.
  mqtt::QoS retain_qos = mqtt::QoS::kAtLeastOnce;  // For its own retained topic.
  std::uint16_t receive_maximum = 100;
  std::uint16_t keep_alive = 0;  // Seconds.
};

struct Action {
  enum class Kind : std::uint8_t {
    kPublish,
    kRetain,
    kSubscribe,
    kUnsubscribe,
    kCut,
    kHalfOpen,
    kCutAt,   // Once the n-th packet of `packet` comes by.
    kSplit,   // The next packet.
    kRefuse,  // For `duration`.
    kFreeze,
    kThaw,
    kGoodbye,
    kReturn,
    kAdvance,
  };
  // What follows before the next action.
  enum class After : std::uint8_t { kNothing, kSteps, kQuiet };

  Action() = default;

  Kind kind = Kind::kAdvance;
  int client = 0;
  int topic = 0;
  int count = 1;
  mqtt::QoS qos = mqtt::QoS::kAtMostOnce;
  std::optional<std::uint32_t> expiry;  // Seconds.
  bool flag = false;                    // kRetain: clear; kGoodbye: with will; kCutAt: after it.
  bool end_session = false;             // kGoodbye.
  bool to_client = false;
  testing::PacketKind packet = testing::PacketKind::kPublish;
  mqtt::Duration duration{};
  After after = After::kQuiet;
  int steps = 0;
};

std::string ToString(const Action& action);

struct Scenario {
  std::uint64_t seed = 0;
  std::uint16_t receive_maximum = 1024;  // The broker's.
  std::vector<Actor> actors;
  std::vector<Action> actions;
};

inline constexpr int kTopics = 3;  // "t/0" ...

// The same seed and features, the same scenario.
Scenario Draw(std::uint64_t seed, const Features& features);

}  // namespace mqttrpc::explorer
