// A whole call through generated code: caller, broker and device on one io_context.
#include <optional>

#include "micro/allocations.h"
#include "systems/in_process_stack.h"

namespace bench {
namespace {

constexpr int kWarmingUp = 1000;

// Keeps a number of calls under way until the benchmark has enough.
class Calls {
 public:
  explicit Calls(benchmark::State& state) : state_(state) {}

  void Run() {
    for (auto i = state_.range(0); i > 0; --i) Begin();
    stack_.io().restart();
    stack_.io().run();
  }

 private:
  void Begin() {
    stack_.Call([this](bool ok) { Ended(ok); });
  }

  void Ended(bool ok) {
    if (over_) return;
    if (!ok) state_.SkipWithError("a call has failed");
    if (++ended_ > kWarmingUp) {
      if (!allocations_) allocations_.emplace(state_);
      if (!state_.KeepRunning()) {
        over_ = true;
        allocations_.reset();
        return stack_.io().stop();
      }
    }
    Begin();
  }

  benchmark::State& state_;
  std::optional<AllocationCount> allocations_;
  int ended_ = 0;
  bool over_ = false;
  InProcessStack stack_{64};  // Its end ends the calls under way.
};

void Call(benchmark::State& state) { Calls(state).Run(); }
BENCHMARK(Call)->ArgName("window")->Arg(1)->Arg(16);

}  // namespace
}  // namespace bench
