// Measures work that needs an event loop.
#pragma once

#include <cstddef>

#include <absl/functional/function_ref.h>
#include <benchmark/benchmark.h>
#include <asio/io_context.hpp>

namespace bench {

// Calls `step` again and again in handlers of `io`, each behind what the one before has
// posted, until the benchmark has enough; the first times are in no figure, so that
// buffers have grown. It returns how many iterations it began; 0: it waits for earlier ones.
//
// All of it is one run(): what handlers allocate is recycled only within a run.
void RunTurns(benchmark::State& state, asio::io_context& io, absl::FunctionRef<std::size_t()> step);

}  // namespace bench
