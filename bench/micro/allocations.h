// How often memory was allocated, by whatever means: this program's malloc counts.
#pragma once

#include <cstdint>

#include <benchmark/benchmark.h>

namespace bench {

// Calls of malloc, calloc, realloc, memalign and operator new by this thread so far.
std::uint64_t AllocationsOfThread();

// Reports what is allocated in its lifetime, for each iteration, as the counter "allocs".
class AllocationCount {
 public:
  explicit AllocationCount(benchmark::State& state) : state_(state) {}
  ~AllocationCount() {
    state_.counters["allocs"] =
        benchmark::Counter(static_cast<double>(AllocationsOfThread() - before_), benchmark::Counter::kAvgIterations);
  }
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

 private:
  benchmark::State& state_;
  const std::uint64_t before_ = AllocationsOfThread();
};

}  // namespace bench
