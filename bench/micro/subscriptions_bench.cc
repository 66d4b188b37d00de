// Finding who is to get a message, among many.
#include <memory>
#include <string>
#include <vector>

#include "load/filters.h"
#include "micro/allocations.h"
#include "subscription_tree.h"

namespace bench {
namespace {

using mqttrpc::broker::ShareGroup;
using mqttrpc::broker::Subscription;
using mqttrpc::broker::SubscriptionTree;

class Holder final : public mqttrpc::broker::Subscriber {};

struct Counter final : mqttrpc::broker::MatchSink {
  void OnSubscription(const Subscription&) override { ++found; }
  void OnShareGroup(ShareGroup&) override { ++found; }
  std::size_t found = 0;
};

// Each topic is another, and matches exactly one filter; asked for as the router does.
void Match(benchmark::State& state, FilterKind kind) {
  constexpr std::size_t kHolders = 100;
  constexpr std::size_t kTopics = 1000;
  const auto filters = static_cast<std::size_t>(state.range(0));
  SubscriptionTree tree;
  std::vector<Holder> holders(kHolders);
  for (std::size_t i = 0; i < filters; ++i) tree.Subscribe(holders[i % kHolders], FilterOf(kind, i), {});
  std::vector<std::string> topics;
  for (std::size_t i = 0; i < kTopics; ++i) topics.push_back(FilterOf(FilterKind::kExact, JumpFrom(i, filters)));
  Counter counter;
  std::size_t next = 0;
  {
    const AllocationCount allocations(state);
    for (auto _ : state) {
      const std::string& topic = topics[next++ % kTopics];
      tree.MatchExact(topic, counter);
      tree.MatchWildcards(topic, counter);
    }
  }
  if (counter.found != next) state.SkipWithError("not each topic has matched one filter");
  for (Holder& holder : holders) tree.RemoveAll(holder);
}

void MatchExact(benchmark::State& state) { Match(state, FilterKind::kExact); }
void MatchPlus(benchmark::State& state) { Match(state, FilterKind::kPlus); }
void MatchHash(benchmark::State& state) { Match(state, FilterKind::kHash); }

BENCHMARK(MatchExact)->ArgName("filters")->Arg(1'000)->Arg(100'000);
BENCHMARK(MatchPlus)->ArgName("filters")->Arg(1'000)->Arg(100'000);
BENCHMARK(MatchHash)->ArgName("filters")->Arg(1'000)->Arg(100'000);

// Adds a filter to many, and takes it away.
void SubscribeAndUnsubscribe(benchmark::State& state) {
  constexpr std::size_t kFilters = 1000;
  SubscriptionTree tree;
  Holder others;
  Holder holder;
  for (std::size_t i = 0; i < kFilters; ++i) tree.Subscribe(others, FilterOf(FilterKind::kPlus, i), {});
  const std::string filter = "site/0/device/17/#";
  {
    const AllocationCount allocations(state);
    for (auto _ : state) {
      tree.Subscribe(holder, filter, {});
      tree.Unsubscribe(holder, filter);
    }
  }
  tree.RemoveAll(others);
}
BENCHMARK(SubscribeAndUnsubscribe);

}  // namespace
}  // namespace bench
