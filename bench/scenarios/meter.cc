#include "scenarios/meter.h"

#include "report/process_usage.h"

namespace bench {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

void Measure(const MeasuredLoad& load, std::chrono::milliseconds interval, Sample& sample) {
  load.run_for(interval / 4);  // Warms up.
  load.latencies->Clear();
  std::vector<nanoseconds> used;
  for (const MeasuredProcess& process : load.processes) used.push_back(CpuTimeOf(process.pid));
  const Clock::time_point start = Clock::now();
  std::uint64_t before = load.count();
  load.run_for(interval);
  const auto count = static_cast<double>(load.count() - before);
  const std::chrono::duration<double> taken = Clock::now() - start;
  for (std::size_t i = 0; i < used.size(); ++i) used[i] = CpuTimeOf(load.processes[i].pid) - used[i];
  if (count == 0) throw Void("nothing arrived while it was measured");

  sample.Add(load.unit + "s/s", count / taken.count());
  load.latencies->Report(sample);
  nanoseconds all{};
  for (std::size_t i = 0; i < used.size(); ++i) {
    all += used[i];
    sample.Add(load.processes[i].name + " us/" + load.unit, static_cast<double>(used[i].count()) / 1000 / count);
  }
  if (used.size() > 2) sample.Add("all us/" + load.unit, static_cast<double>(all.count()) / 1000 / count);

  const SystemCallCounter calls(load.processes.front().pid);
  before = load.count();
  load.run_for(interval / 5);
  sample.Add(load.processes.front().name + " syscalls/" + load.unit,
             calls.Count() / static_cast<double>(load.count() - before));
}

}  // namespace bench
