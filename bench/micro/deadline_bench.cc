// Deadlines that come and go while many others wait: of calls, which are nearly always
// cancelled, and of connections, which fall due and move on.
#include <chrono>
#include <cstddef>
#include <deque>

#include "micro/allocations.h"
#include "mqttrpc/mqtt/deadline_queue.h"

namespace bench {
namespace {

using mqttrpc::mqtt::DeadlineQueue;
using mqttrpc::mqtt::TimePoint;
using Entries = std::deque<DeadlineQueue::Entry>;

constexpr std::chrono::milliseconds kTimeout{5'000};
constexpr std::chrono::microseconds kBetween{10};

// Each with its own deadline, one after the other.
void Fill(DeadlineQueue& queue, Entries& entries, TimePoint& now) {
  for (auto& entry : entries) queue.Schedule(entry, (now += kBetween) + kTimeout);
}

// The call that began first is answered, another one begins.
void DeadlineOfACall(benchmark::State& state) {
  DeadlineQueue queue;
  Entries calls(static_cast<std::size_t>(state.range(0)));
  TimePoint now{};
  Fill(queue, calls, now);
  std::size_t next = 0;
  const AllocationCount allocations(state);
  for (auto _ : state) {
    DeadlineQueue::Entry& call = calls[next];
    if (++next == calls.size()) next = 0;
    queue.Cancel(call);
    queue.Schedule(call, (now += kBetween) + kTimeout);
  }
}
BENCHMARK(DeadlineOfACall)->ArgName("waiting")->Arg(1)->Arg(256)->Arg(10'000);

// The earliest falls due; its connection has spoken meanwhile and has a later one.
void DeadlineOfAConnection(benchmark::State& state) {
  DeadlineQueue queue;
  Entries connections(static_cast<std::size_t>(state.range(0)));
  TimePoint now{};
  Fill(queue, connections, now);
  const AllocationCount allocations(state);
  for (auto _ : state) {
    now = queue.Next();
    queue.Schedule(*queue.PopDue(now), now + kTimeout);
  }
}
BENCHMARK(DeadlineOfAConnection)->ArgName("waiting")->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace bench
