// A quiet caller beside somebody who sends as much as he can.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <sched.h>

#include "load/flow.h"
#include "load/requester.h"
#include "scenarios/scenario.h"
#include "systems/programs.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenCalls(5);
constexpr std::chrono::milliseconds kShortest(1000);  // Or the 99th of a hundred calls is the slowest.

// Publishes to one subscriber with a large window, on a thread of its own.
class Firehose {
 public:
  explicit Firehose(std::uint16_t port) : thread_([this, port] { Run(port); }) {}
  ~Firehose() { Stop(); }

  void Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

  std::uint64_t delivered() const { return delivered_; }
  const Sample& sample() const { return sample_; }  // After Stop().

 private:
  void Run(std::uint16_t port) {
    try {
      FlowOptions options;
      options.window = 1000;
      options.name = "firehose";
      Loop loop;
      Flow flow(loop, port, options);
      flow.Start();
      while (!stopping_) {
        loop.RunFor(std::chrono::milliseconds(1));
        delivered_ = flow.delivered();
        flow.latencies().Clear();
      }
      flow.Stop(sample_);
    } catch (const Void& why) {
      sample_.void_reason = why.what();
    }
  }

  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> delivered_{0};
  Sample sample_;
  std::thread thread_;
};

// While it lives, this thread runs before all others, where the system permits: else the
// quiet caller waits for a processor, and not for the broker. Threads and processes that
// it starts do not inherit that.
class Urgency {
 public:
  Urgency() { Set(SCHED_FIFO | SCHED_RESET_ON_FORK, 1); }
  ~Urgency() { Set(SCHED_OTHER, 0); }
  Urgency(const Urgency&) = delete;
  Urgency& operator=(const Urgency&) = delete;

 private:
  static void Set(int policy, int priority) {
    sched_param parameters{};
    parameters.sched_priority = priority;
    sched_setscheduler(0, policy, &parameters);
  }
};

void CallNowAndThen(Loop& loop, Requester& caller, std::chrono::milliseconds duration) {
  const Clock::time_point end = Clock::now() + duration;
  for (Clock::time_point next = Clock::now(); next < end; next += kBetweenCalls) {
    loop.RunTill(next);
    caller.Ask();
  }
}

Sample Run(const std::string& system, const Settings& settings) {
  Sample sample;
  const std::chrono::milliseconds interval = std::max(settings.interval, kShortest);
  const Broker broker(system);
  Loop loop;
  Latencies latencies;
  Responder responder(loop, broker.port(), "responder", 0);
  RequesterOptions options;
  options.name = "quiet";
  options.responder = "responder";
  Requester caller(loop, broker.port(), options, latencies);
  const Urgency urgency;
  CallNowAndThen(loop, caller, interval / 2);
  const double alone = latencies.At(0.5);

  Firehose firehose(broker.port());
  CallNowAndThen(loop, caller, interval / 4);  // Until it runs.
  latencies.Clear();
  const std::uint64_t before = firehose.delivered();
  CallNowAndThen(loop, caller, interval);
  const std::uint64_t delivered = firehose.delivered() - before;
  caller.Stop(sample);
  firehose.Stop();
  sample.losses += firehose.sample().losses;
  sample.disorder += firehose.sample().disorder;
  sample.void_reason = firehose.sample().void_reason;
  sample.Add("quiet p99 us", latencies.At(0.99));
  sample.Add("quiet p50 us", latencies.At(0.5));
  sample.Add("quiet p50 us alone", alone);
  sample.Add("firehose messages/s", static_cast<double>(delivered) / std::chrono::duration<double>(interval).count());
  return sample;
}

}  // namespace

std::vector<Case> FairnessCases() {
  Case one;
  one.table = "Fairness";
  one.name = "a call every 5 ms beside a firehose, QoS 0, window 1000";
  one.systems = {kMqttrpcd, kMosquitto};
  one.run = Run;
  return {one};
}

}  // namespace bench
