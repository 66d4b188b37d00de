// Many subscriptions, of which each message matches exactly one.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "load/crowd.h"
#include "load/filters.h"
#include "report/process_usage.h"
#include "scenarios/meter.h"
#include "scenarios/scenario.h"
#include "systems/programs.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kHolders = 10;          // At least that many clients hold them...
constexpr std::size_t kMostOfAHolder = 1000;  // ...and none more than this.
constexpr std::size_t kInOneSubscribe = 100;
constexpr std::size_t kWindow = 100;

// Publishes to one topic after the other, in an order that jumps about.
class Probe final : public Connection::Handler {
 public:
  Probe(Loop& loop, std::uint16_t port, std::size_t topics, std::size_t holders)
      : loop_(loop), topics_(topics), next_(holders), publisher_(loop, port, "publisher", *this) {}

  void Start() {
    sending_ = true;
    Pump();
  }

  void Stop(Sample& sample) {
    sending_ = false;
    const Clock::time_point end = Clock::now() + std::chrono::seconds(2);
    while (delivered_ < sent_ && Clock::now() < end) loop_.RunFor(std::chrono::milliseconds(5));
    sample.losses += sent_ - delivered_;
    sample.disorder += disorder_;
  }

  std::uint64_t delivered() const { return delivered_; }
  Latencies TakeLatencies() { return std::exchange(latencies_, Latencies()); }

 private:
  struct Stamp {
    std::uint64_t message;
    Clock::time_point sent_at;
  };

  void OnPublish(Connection& holder, const Arrival& arrival) override {
    Stamp stamp;
    std::memcpy(&stamp, arrival.payload.data(), sizeof(stamp));
    latencies_.Add(Clock::now() - stamp.sent_at);
    std::uint64_t& next = next_[holder.number()];
    if (stamp.message < next) ++disorder_;
    next = stamp.message + 1;
    ++delivered_;
    Pump();
  }

  void Pump() {
    while (sending_ && sent_ - delivered_ < kWindow) {
      const std::string topic_name = FilterOf(FilterKind::kExact, JumpFrom(sent_, topics_));
      const Stamp stamp{sent_++, Clock::now()};
      std::memcpy(payload_.data(), &stamp, sizeof(stamp));
      PublishFields fields;
      fields.topic_name = topic_name;
      fields.payload = payload_;
      publisher_.Publish(fields);
    }
  }

  Loop& loop_;
  const std::size_t topics_;
  std::vector<std::uint64_t> next_;  // Of each holder: what comes is this message or a later one.
  Connection publisher_;
  std::string payload_ = std::string(64, 'x');
  bool sending_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t disorder_ = 0;
  Latencies latencies_;
};

// Each holder gets its share, a SUBSCRIBE of it at a time.
void SubscribeAll(Loop& loop, const std::vector<std::unique_ptr<Connection>>& holders, FilterKind kind,
                  std::size_t count) {
  const std::size_t share = count / holders.size();
  for (std::size_t done = 0; done < share; done += kInOneSubscribe) {
    for (const auto& holder : holders) {
      std::vector<std::string> filters;
      for (std::size_t i = done; i < std::min(share, done + kInOneSubscribe); ++i) {
        filters.push_back(FilterOf(kind, holder->number() * share + i));
      }
      holder->Subscribe(filters, 0);
    }
    WaitForSubscriptions(loop, holders, std::min(share, done + kInOneSubscribe));
  }
}

Sample Run(FilterKind kind, std::size_t count, const std::string& system, const Settings& settings) {
  Sample sample;
  const Broker broker(system);
  Loop loop;
  const std::size_t holder_count = std::max(kHolders, count / kMostOfAHolder);
  Probe probe(loop, broker.port(), count, holder_count);
  const auto holders = ConnectCrowd(loop, broker.port(), "holder", holder_count, probe);
  const double memory = MemoryOf(broker.pid());
  const Clock::time_point start = Clock::now();
  SubscribeAll(loop, holders, kind, count);
  const std::chrono::duration<double> subscribing = Clock::now() - start;
  sample.Add("subscribes/s", static_cast<double>(count) / subscribing.count());
  sample.Add("broker bytes/subscription", (MemoryOf(broker.pid()) - memory) / static_cast<double>(count));

  probe.Start();
  MeasuredLoad load;
  load.unit = "message";
  load.count = [&] { return probe.delivered(); };
  load.run_for = [&](std::chrono::nanoseconds time) { loop.RunFor(time); };
  load.take_latencies = [&] { return probe.TakeLatencies(); };
  load.processes = {{"broker", broker.pid()}, {"load", getpid()}};
  Measure(load, settings.interval / 2, sample);
  probe.Stop(sample);
  return sample;
}

Case Of(FilterKind kind, const char* kind_name, std::size_t count) {
  Case result;
  result.table = "Subscriptions";
  result.name = std::to_string(count) + " " + kind_name;
  result.systems = {kMqttrpcd, kMosquitto};
  result.run = [kind, count](const std::string& system, const Settings& settings) {
    return Run(kind, count, system, settings);
  };
  result.growth = {kind_name, "subscriptions", static_cast<double>(count)};
  return result;
}

}  // namespace

std::vector<Case> SubscriptionCases(bool full) {
  std::vector<Case> cases;
  for (const std::size_t count :
       full ? std::vector<std::size_t>{1'000, 10'000, 100'000, 1'000'000} : std::vector<std::size_t>{1'000, 100'000}) {
    cases.push_back(Of(FilterKind::kExact, "exact", count));
    cases.push_back(Of(FilterKind::kPlus, "with +", count));
    cases.push_back(Of(FilterKind::kHash, "with #", count));
  }
  return cases;
}

}  // namespace bench
