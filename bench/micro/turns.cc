#include "micro/turns.h"

#include <optional>

#include <asio/post.hpp>

#include "micro/allocations.h"

namespace bench {
namespace {

constexpr int kWarmingUp = 1000;

class Turns {
 public:
  Turns(benchmark::State& state, asio::io_context& io, absl::FunctionRef<std::size_t()> step)
      : state_(state), io_(io), step_(step) {}

  void Next() {
    asio::post(io_, [this] { Run(); });
  }

 private:
  void Run() {
    const std::size_t begun = step_();
    if (warming_up_ > 0) {
      --warming_up_;
    } else if (begun > 0) {
      if (!allocations_) allocations_.emplace(state_);
      if (!state_.KeepRunningBatch(static_cast<benchmark::IterationCount>(begun))) {
        allocations_.reset();
        return io_.stop();
      }
    }
    Next();
  }

  benchmark::State& state_;
  asio::io_context& io_;
  const absl::FunctionRef<std::size_t()> step_;
  int warming_up_ = kWarmingUp;
  std::optional<AllocationCount> allocations_;
};

}  // namespace

void RunTurns(benchmark::State& state, asio::io_context& io, absl::FunctionRef<std::size_t()> step) {
  Turns turns(state, io, step);
  turns.Next();
  io.restart();
  io.run();
}

}  // namespace bench
