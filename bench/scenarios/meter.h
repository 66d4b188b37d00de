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
  std::function<Latencies()> take_latencies;  // Those since it was last asked. Empty: none are taken.
  std::vector<MeasuredProcess> processes;
  bool sums = false;  // Whether what all processes take together is of interest.
};

// Lets the load warm up, measures it for `interval`, then counts system calls for a
// while longer. Adds to `sample`, for the unit "message" and each process NAME:
// messages/s, p50 us, p99 us, NAME us/message, all us/message; broker syscalls/message,
// all syscalls/message. Those of all only if load.sums.
void Measure(const MeasuredLoad& load, std::chrono::milliseconds interval, Sample& sample);

}  // namespace bench
