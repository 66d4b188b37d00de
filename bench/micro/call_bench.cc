// A whole call through generated code: caller, broker and device on one io_context.
#include <memory>
#include <optional>

#include "micro/allocations.h"
#include "mqttrpc/rpc/interceptor.h"
#include "systems/in_process_stack.h"

namespace bench {
namespace {

constexpr int kWarmingUp = 1000;

// Keeps a number of calls under way until the benchmark has enough.
class Calls {
 public:
  explicit Calls(benchmark::State& state, const mqttrpc::ChannelOptions& channel_options = mqttrpc::ChannelOptions(),
                 const mqttrpc::ServerOptions& server_options = EchoServerOptions())
      : state_(state), stack_(64, channel_options, server_options) {}

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
  InProcessStack stack_;  // Its end ends the calls under way.
};

void Call(benchmark::State& state) { Calls(state).Run(); }
BENCHMARK(Call)->ArgName("window")->Arg(1)->Arg(16);

// Follows each call and does nothing.
class Follower final : public mqttrpc::ClientInterceptor, public mqttrpc::ServerInterceptor {
  std::unique_ptr<mqttrpc::ClientCallInterceptor> Begin(mqttrpc::ClientCallInfo&) override {
    return std::make_unique<mqttrpc::ClientCallInterceptor>();
  }
  std::unique_ptr<mqttrpc::ServerCallInterceptor> Begin(mqttrpc::ServerCallInfo&) override {
    return std::make_unique<mqttrpc::ServerCallInterceptor>();
  }
};

// So many of them on either side.
void InterceptedCall(benchmark::State& state) {
  mqttrpc::ChannelOptions channel_options;
  mqttrpc::ServerOptions server_options = EchoServerOptions();
  for (auto i = state.range(1); i > 0; --i) {
    channel_options.interceptors.push_back(std::make_shared<Follower>());
    server_options.interceptors.push_back(std::make_shared<Follower>());
  }
  Calls(state, channel_options, server_options).Run();
}
BENCHMARK(InterceptedCall)->ArgNames({"window", "interceptors"})->ArgsProduct({{16}, {0, 1, 5}});

}  // namespace
}  // namespace bench
