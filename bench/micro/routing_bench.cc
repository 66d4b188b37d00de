// One message through a whole broker: read, decoded, routed, queued, encoded, written.
#include <cstdint>
#include <string>

#include "micro/direct_world.h"
#include "micro/turns.h"

namespace bench {
namespace {

constexpr char kTopic[] = "site/1/device/17/state";
constexpr std::size_t kPayloadBytes = 64;
constexpr std::size_t kLargeBytes = 1024 * 1024;
constexpr int kLongestWait = 1000;  // Turns.

// That many messages, which come in one read.
std::string Burst(std::size_t messages, std::uint8_t qos, std::size_t payload_bytes) {
  const std::string payload(payload_bytes, 'x');
  PublishFields publish;
  publish.topic_name = kTopic;
  publish.payload = payload;
  publish.qos = qos;
  std::string packets;
  for (std::size_t i = 1; i <= messages; ++i) AppendPublish(packets, publish, static_cast<std::uint16_t>(i));
  return packets;
}

// From one publisher to some subscribers. In a turn of the broker's come so many messages
// at once: 1 when it has little to do, more under load.
void Route(benchmark::State& state, std::uint8_t qos, std::size_t subscribers,
           std::size_t payload_bytes = kPayloadBytes) {
  const auto messages = static_cast<std::size_t>(state.range(0));
  DirectWorld world;
  std::vector<DirectClient*> receivers;
  for (std::size_t i = 0; i < subscribers; ++i) {
    receivers.push_back(&world.NewSubscriber("subscriber-" + std::to_string(i), kTopic, qos));
  }
  DirectClient& publisher = world.NewClient("publisher");
  const std::string burst = Burst(messages, qos, payload_bytes);
  std::uint64_t sent = 0;
  int waited = 0;
  RunTurns(state, world.io(), [&]() -> std::size_t {
    for (DirectClient* receiver : receivers) receiver->Acknowledge();
    const bool all_there = receivers.back()->arrived() >= sent && (qos == 0 || publisher.acknowledged() >= sent);
    if (!all_there && ++waited < kLongestWait) return 0;
    if (!all_there) state.SkipWithError("messages were lost");
    waited = 0;
    publisher.Send(burst);
    sent += messages;
    return messages;
  });
}

void RouteQoS0(benchmark::State& state) { Route(state, 0, 1); }
void RouteQoS1(benchmark::State& state) { Route(state, 1, 1); }
void RouteQoS0To100(benchmark::State& state) { Route(state, 0, 100); }
void RouteQoS1To100(benchmark::State& state) { Route(state, 1, 100); }
void RouteLargeQoS1(benchmark::State& state) { Route(state, 1, 1, kLargeBytes); }

BENCHMARK(RouteQoS0)->ArgName("in_a_turn")->Arg(1)->Arg(64);
BENCHMARK(RouteQoS1)->ArgName("in_a_turn")->Arg(1)->Arg(64);
BENCHMARK(RouteQoS0To100)->ArgName("in_a_turn")->Arg(1)->Arg(16);
BENCHMARK(RouteQoS1To100)->ArgName("in_a_turn")->Arg(1)->Arg(16);

BENCHMARK(RouteLargeQoS1)->ArgName("in_a_turn")->Arg(1);

}  // namespace
}  // namespace bench
