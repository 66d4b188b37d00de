// Plain publishing and subscribing, over raw connections.
#include <string>
#include <utility>

#include <unistd.h>

#include "load/flow.h"
#include "scenarios/meter.h"
#include "scenarios/relay.h"
#include "scenarios/scenario.h"
#include "systems/programs.h"

namespace bench {
namespace {

// From here on a message costs more to carry than to handle.
constexpr std::size_t kLargeBytes = 64 * 1024;

Sample Run(const FlowOptions& options, const std::string& system, const Settings& settings) {
  Sample sample;
  const Broker broker(system);
  Loop loop;
  Flow flow(loop, broker.port(), options);
  flow.Start();
  MeasuredLoad load;
  load.unit = "message";
  load.count = [&] { return flow.delivered(); };
  load.run_for = [&](std::chrono::nanoseconds time) { loop.RunFor(time); };
  load.take_latencies = [&] { return std::exchange(flow.latencies(), Latencies()); };
  load.processes = {{"broker", broker.pid()}, {"load", getpid()}};
  Measure(load, settings.interval, sample);
  flow.Stop(sample);
  if (options.payload_bytes >= kLargeBytes) {
    const double relay = RelayMicroseconds(settings.interval / 2) * static_cast<double>(options.payload_bytes);
    for (const Metric& metric : std::vector<Metric>(sample.metrics)) {
      if (metric.name == "broker us/message") sample.Add("broker cpu of relay", metric.value / relay);
    }
  }
  return sample;
}

std::string Bytes(std::size_t bytes) {
  if (bytes >= 1024 * 1024) return std::to_string(bytes / 1024 / 1024) + " MiB";
  return bytes >= 1024 ? std::to_string(bytes / 1024) + " KiB" : std::to_string(bytes) + " B";
}

Case Of(std::string name, const FlowOptions& options, Growth growth = Growth()) {
  Case result;
  result.table = "Messages";
  result.name = std::move(name) + ", QoS " + std::to_string(options.qos) + ", " + Bytes(options.payload_bytes);
  result.systems = {kMqttrpcd, kMosquitto};
  result.growth = std::move(growth);
  result.run = [options](const std::string& system, const Settings& settings) {
    return Run(options, system, settings);
  };
  return result;
}

// With more pairs fewer messages of each are under way, as with many small devices.
Case Pairs(std::size_t pairs, std::uint8_t qos) {
  FlowOptions options;
  options.publishers = options.subscribers = pairs;
  options.qos = qos;
  options.window = pairs <= 8 ? 100 : pairs <= 100 ? 10 : 4;
  return Of(
      std::to_string(pairs) + (pairs == 1 ? " pair, window " : " pairs, window ") + std::to_string(options.window),
      options, {"pairs, QoS " + std::to_string(qos), "pairs", static_cast<double>(pairs)});
}

Case FanOut(std::size_t subscribers) {
  FlowOptions options;
  options.pattern = Pattern::kEveryone;
  options.subscribers = subscribers;
  options.window = subscribers <= 100 ? 100 : 10;
  return Of("fan-out 1 to " + std::to_string(subscribers) + ", window " + std::to_string(options.window), options,
            {"fan-out", "subscribers", static_cast<double>(subscribers)});
}

Case FanIn() {
  FlowOptions options;
  options.pattern = Pattern::kEveryone;
  options.publishers = 100;
  options.window = 10;
  return Of("fan-in 100 to 1, window 10", options);
}

Case SharedGroup() {
  FlowOptions options;
  options.pattern = Pattern::kSharedGroup;
  options.publishers = 8;
  options.subscribers = 4;
  options.qos = 1;
  return Of("shared group 8 to 4, window 100", options);
}

Case Payload(std::size_t bytes) {
  FlowOptions options;
  options.qos = 1;
  options.payload_bytes = bytes;
  options.window = bytes >= kLargeBytes ? 4 : 100;  // What waits for one client stays under 16 MiB.
  return Of("1 pair, window " + std::to_string(options.window), options,
            {"payloads", "bytes", static_cast<double>(bytes)});
}

}  // namespace

std::vector<Case> MessageCases(bool full) {
  std::vector<Case> cases;
  for (const std::size_t pairs : full ? std::vector<std::size_t>{1, 8, 100, 1000} : std::vector<std::size_t>{8}) {
    for (const std::uint8_t qos : {0, 1, 2}) cases.push_back(Pairs(pairs, qos));
  }
  for (const std::size_t many : full ? std::vector<std::size_t>{10, 100, 1000} : std::vector<std::size_t>{100}) {
    cases.push_back(FanOut(many));
  }
  cases.push_back(FanIn());
  cases.push_back(SharedGroup());
  for (const std::size_t bytes :
       full ? std::vector<std::size_t>{16, 256, 4096, 65'536, 1'048'576} : std::vector<std::size_t>{1'048'576}) {
    cases.push_back(Payload(bytes));
  }
  return cases;
}

}  // namespace bench
