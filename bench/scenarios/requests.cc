// Requests with a Response Topic and their answers, over raw connections: what MQTT
// itself has for calls, without our library.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "load/requester.h"
#include "scenarios/meter.h"
#include "scenarios/scenario.h"
#include "systems/programs.h"

namespace bench {
namespace {

struct Shape {
  std::size_t callers = 1;
  std::size_t responders = 1;
  std::size_t window = 1;
  std::uint8_t qos = 0;
};

Sample Run(const Shape& shape, const std::string& system, const Settings& settings) {
  Sample sample;
  const Broker broker(system);
  Loop loop;
  Latencies latencies;
  std::vector<std::unique_ptr<Responder>> responders;
  for (std::size_t i = 0; i < shape.responders; ++i) {
    responders.push_back(std::make_unique<Responder>(loop, broker.port(), "responder-" + std::to_string(i), shape.qos));
  }
  std::vector<std::unique_ptr<Requester>> callers;
  for (std::size_t i = 0; i < shape.callers; ++i) {
    RequesterOptions options;
    options.name = "caller-" + std::to_string(i);
    options.responder = "responder-" + std::to_string(i % shape.responders);
    options.qos = shape.qos;
    callers.push_back(std::make_unique<Requester>(loop, broker.port(), options, latencies));
  }
  for (auto& caller : callers) caller->KeepUnderWay(shape.window);
  MeasuredLoad load;
  load.unit = "call";
  load.count = [&] {
    std::uint64_t sum = 0;
    for (const auto& caller : callers) sum += caller->answered();
    return sum;
  };
  load.run_for = [&](std::chrono::nanoseconds time) { loop.RunFor(time); };
  load.take_latencies = [&] { return std::exchange(latencies, Latencies()); };
  load.processes = {{"broker", broker.pid()}, {"load", getpid()}};
  Measure(load, settings.interval, sample);
  for (auto& caller : callers) caller->KeepUnderWay(0);
  for (auto& caller : callers) caller->Stop(sample);
  return sample;
}

Case Of(const Shape& shape) {
  Case result;
  result.table = "Requests";
  result.name = std::to_string(shape.callers) + (shape.callers == 1 ? " caller, " : " callers, ") +
                std::to_string(shape.responders) +
                (shape.responders == 1 ? " responder, window " : " responders, window ") +
                std::to_string(shape.window) + ", QoS " + std::to_string(shape.qos);
  result.systems = {kMqttrpcd, kMosquitto};
  result.run = [shape](const std::string& system, const Settings& settings) { return Run(shape, system, settings); };
  return result;
}

}  // namespace

std::vector<Case> RequestCases(bool full) {
  std::vector<Case> cases;
  for (const std::uint8_t qos : {0, 1}) {
    if (full || qos == 1) {
      cases.push_back(Of({1, 1, 1, qos}));
      cases.push_back(Of({1, 1, 16, qos}));
    }
    cases.push_back(Of({8, 2, 16, qos}));
  }
  return cases;
}

}  // namespace bench
