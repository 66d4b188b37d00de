// A client's queue, and what becomes of it.
#include <string>

#include "micro/allocations.h"
#include "outbox.h"

namespace bench {
namespace {

using namespace mqttrpc::broker;  // NOLINT(google-build-using-namespace): the subject.
using mqttrpc::mqtt::QoS;

// A message is queued, taken for a write, written, and acknowledged, while `under_way`
// others before it are not.
void QueueToEnd(benchmark::State& state, QoS qos) {
  MemoryBudget budget(64 * 1024 * 1024);
  Counters counters;
  Outbox::Host host(Outbox::Limits(10'000, 16 * 1024 * 1024), budget, counters);
  Outbox outbox(host);
  outbox.Attach(PeerLimits());
  const std::string payload(64, 'x');
  mqttrpc::mqtt::Publish publish;
  publish.payload = payload;
  publish.qos = qos;
  const mqttrpc::mqtt::TimePoint now{};
  const MessageRef message = SharedMessage::Copy(budget, publish, "site/1/device/17/state", now);
  Outbox::Outgoing next;
  const auto begin = [&] {
    outbox.Push(Delivery(message, qos));
    if (!outbox.Next(now, next)) state.SkipWithError("nothing is to be sent");
    outbox.OnWritten();
  };
  const auto under_way = static_cast<std::uint16_t>(qos == QoS::kAtMostOnce ? 0 : state.range(0));
  for (int i = 0; i < under_way; ++i) begin();
  const AllocationCount allocations(state);
  for (auto _ : state) {
    begin();
    if (qos == QoS::kAtMostOnce) continue;
    const std::uint32_t oldest = next.packet_id - std::uint32_t{under_way};
    outbox.OnPubAck(static_cast<std::uint16_t>(oldest - (oldest > 65'535u ? 1u : 0u)));
  }
}

void QueueToEndQoS0(benchmark::State& state) { QueueToEnd(state, QoS::kAtMostOnce); }
void QueueToEndQoS1(benchmark::State& state) { QueueToEnd(state, QoS::kAtLeastOnce); }

BENCHMARK(QueueToEndQoS0);
BENCHMARK(QueueToEndQoS1)->ArgName("under_way")->Arg(0)->Arg(100);

}  // namespace
}  // namespace bench
