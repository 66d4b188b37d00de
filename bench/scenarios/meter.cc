#include "scenarios/meter.h"

#include <algorithm>
#include <memory>

#include "report/process_usage.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr std::chrono::milliseconds kWarmUp(100);  // At least: first calls take their time.

std::vector<nanoseconds> CpuTimes(const std::vector<MeasuredProcess>& processes) {
  std::vector<nanoseconds> times;
  for (const MeasuredProcess& process : processes) times.push_back(CpuTimeOf(process.pid));
  return times;
}

void MeasureTimes(const MeasuredLoad& load, nanoseconds interval, Sample& sample) {
  if (load.take_latencies) load.take_latencies();
  const std::vector<nanoseconds> before = CpuTimes(load.processes);
  const std::uint64_t count_before = load.count();
  const Clock::time_point start = Clock::now();
  load.run_for(interval);
  const std::chrono::duration<double> taken = Clock::now() - start;
  const auto count = static_cast<double>(load.count() - count_before);
  const std::vector<nanoseconds> after = CpuTimes(load.processes);
  if (count == 0) throw Void("nothing arrived while it was measured");

  sample.Add(load.unit + "s/s", count / taken.count());
  if (load.take_latencies) load.take_latencies().Report(sample);
  double sum = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double each = static_cast<double>((after[i] - before[i]).count()) / 1000 / count;
    sample.Add(load.processes[i].name + " us/" + load.unit, each);
    sum += each;
  }
  if (load.sums) sample.Add("all us/" + load.unit, sum);
}

void CountSystemCalls(const MeasuredLoad& load, nanoseconds interval, Sample& sample) {
  std::vector<std::unique_ptr<SystemCallCounter>> counters;
  for (const MeasuredProcess& process : load.processes) {
    counters.push_back(std::make_unique<SystemCallCounter>(process.pid));
  }
  const std::uint64_t before = load.count();
  load.run_for(interval);
  const auto count = static_cast<double>(load.count() - before);
  double sum = 0;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const double each = counters[i]->Count() / count;
    if (load.processes[i].name == "broker") sample.Add("broker syscalls/" + load.unit, each);
    sum += each;
  }
  if (load.sums) sample.Add("all syscalls/" + load.unit, sum);
}

}  // namespace

void Measure(const MeasuredLoad& load, std::chrono::milliseconds interval, Sample& sample) {
  load.run_for(std::max(interval / 4, kWarmUp));
  MeasureTimes(load, interval, sample);
  CountSystemCalls(load, interval / 5, sample);
}

}  // namespace bench
