// A caller's bookkeeping of the calls under way.
#include <cstring>
#include <deque>
#include <memory>

#include "call_table.h"
#include "micro/allocations.h"

namespace bench {
namespace {

using mqttrpc::PendingCall;

constexpr mqttrpc::MethodInfo kMethods[] = {{.name = "SetBrightness"}};
constexpr mqttrpc::ServiceInfo kService{.name = "acme.lamp.v1.Lamp", .share_group = "", .methods = kMethods};

class Shell final : public mqttrpc::CallShell {
 public:
  void SubscribeInbox() override {}
  void Send(PendingCall&) override {}
  void AbandonSending(PendingCall&) override {}
  void SendCancel(PendingCall&) override {}
  void Complete(PendingCall&, absl::Status) override { ++completed; }
  mqttrpc::mqtt::TimePoint Now() const override { return now; }
  double Chance() override { return 0.5; }
  mqttrpc::mqtt::TimePoint now{};
  std::int64_t completed = 0;
};

// A call begins, its request is acknowledged, its answer comes, while others wait.
void BeginToAnswer(benchmark::State& state) {
  const auto waiting = static_cast<std::size_t>(state.range(0));
  Shell shell;
  mqttrpc::CallTable table(shell, "mqtt://127.0.0.1", waiting + 1);
  table.Connected(true, 65'535);
  table.InboxSettled(absl::OkStatus());
  std::uint64_t number = 0;
  const auto begin = [&] {
    auto call = std::make_shared<PendingCall>();
    // Spread as random ids are.
    const std::uint64_t spread = ++number * 0x9E3779B97F4A7C15u;
    std::memcpy(call->id.data(), &spread, sizeof(spread));
    call->service = &kService;
    call->method = &kMethods[0];
    call->target = "lamp-42";
    call->timeout = std::chrono::seconds(5);
    shell.now += std::chrono::microseconds(1);
    table.Begin(call, shell.now);
    table.SendingEnded(*call, call->attempt, mqttrpc::mqtt::ReasonCode::kSuccess);
    return call;
  };
  std::deque<std::shared_ptr<PendingCall>> calls;
  for (std::size_t i = 0; i < waiting; ++i) calls.push_back(begin());
  {
    const AllocationCount allocations(state);
    for (auto _ : state) {
      const auto call = begin();
      const auto found = table.Find(call->correlation_data());
      table.Answered(*found, absl::OkStatus());
    }
  }
  if (shell.completed != state.iterations()) state.SkipWithError("not each call has ended");
}
BENCHMARK(BeginToAnswer)->ArgName("waiting")->Arg(0)->Arg(1'000);

}  // namespace
}  // namespace bench
