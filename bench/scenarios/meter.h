// Measures an interval of a load that runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "report/latencies.h"
#include "report/sample.h"

namespace bench {

struct MeasuredProcess {
  std::string name;  // "broker"
  pid_t pid = 0;
};

struct MeasuredLoad {
  std::string unit;                      // What is counted: "message".
  std::function<std::uint64_t()> count;  // How many there were so far.
  std::function<void(std::chrono::nanoseconds)> run_for;
  Latencies* latencies = nullptr;          // Filled while it runs.
  std::vector<MeasuredProcess> processes;  // The first is the one whose system calls count.
};

// Lets the load warm up, measures it for `interval`, then counts system calls for a
// while longer. Adds to `sample`, in this order, for the unit "message":
// messages/s, p50 us, p99 us, NAME us/message of each process, all us/message if they
// are more than two, NAME syscalls/message of the first.
void Measure(const MeasuredLoad& load, std::chrono::milliseconds interval, Sample& sample);

}  // namespace bench
