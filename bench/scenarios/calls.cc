// Calls through generated stubs, over both brokers and beside gRPC.
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <unistd.h>

#include "load/call_load.h"
#include "scenarios/meter.h"
#include "scenarios/scenario.h"
#include "systems/peer.h"
#include "systems/programs.h"

namespace bench {
namespace {

constexpr char kOverMqttrpcd[] = "mqttrpc over mqttrpcd";
constexpr char kOverMosquitto[] = "mqttrpc over mosquitto";
constexpr char kGrpcUnary[] = "gRPC unary";
constexpr char kGrpcStreaming[] = "gRPC streaming";
constexpr char kBareRelay[] = "bare relay";

struct Shape {
  std::size_t callers = 1;
  std::size_t window = 1;
};

void MeasureCalls(Peer& peer, const Shape& shape, std::vector<MeasuredProcess> processes, const Settings& settings,
                  Sample& sample) {
  CallLoad calls(peer, shape.callers, shape.window);
  MeasuredLoad load;
  load.unit = "call";
  load.count = [&] { return calls.ended(); };
  load.run_for = [](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); };
  load.take_latencies = [&] { return calls.TakeLatencies(); };
  load.processes = std::move(processes);
  load.sums = true;
  Measure(load, settings.interval, sample);
  calls.Stop(sample);
}

Sample OverBroker(const char* broker_name, const Shape& shape, const Settings& settings) {
  Sample sample;
  const Broker broker(broker_name);
  const Program server = StartSelf({"serve-mqttrpc", "--broker", broker.url()}, "ready ");
  PeerOptions options;
  options.address = broker.url();
  options.callers = shape.callers;
  const std::unique_ptr<Peer> peer = NewMqttrpcPeer(options);
  MeasureCalls(*peer, shape, {{"caller", getpid()}, {"broker", broker.pid()}, {"server", server.pid()}}, settings,
               sample);
  return sample;
}

Sample OverGrpc(std::unique_ptr<Peer> (*new_peer)(const PeerOptions&), const Shape& shape, const Settings& settings) {
  Sample sample;
  const Program server = StartSelf({"serve-grpc"}, "ready ");
  PeerOptions options;
  options.address = server.ready_line();
  options.callers = shape.callers;
  const std::unique_ptr<Peer> peer = new_peer(options);
  MeasureCalls(*peer, shape, {{"caller", getpid()}, {"server", server.pid()}}, settings, sample);
  return sample;
}

Sample OverBareRelay(const Shape& shape, const Settings& settings) {
  Sample sample;
  if (shape.callers > 1) return sample;  // It has one connection; the table has its columns.
  const Program server = StartSelf({"serve-bare-relay"}, "ready ");
  const Program relay = StartSelf({"serve-bare-relay", "--next", server.ready_line()}, "ready ");
  PeerOptions options;
  options.address = relay.ready_line();
  const std::unique_ptr<Peer> peer = NewBarePeer(options);
  MeasureCalls(*peer, shape, {{"caller", getpid()}, {"broker", relay.pid()}, {"server", server.pid()}}, settings,
               sample);
  return sample;
}

Sample Run(const Shape& shape, const std::string& system, const Settings& settings) {
  if (system == kBareRelay) return OverBareRelay(shape, settings);
  if (system == kOverMqttrpcd) return OverBroker(kMqttrpcd, shape, settings);
  if (system == kOverMosquitto) return OverBroker(kMosquitto, shape, settings);
  return OverGrpc(system == kGrpcUnary ? NewGrpcPeer : NewGrpcStreamPeer, shape, settings);
}

Case Of(const Shape& shape) {
  Case result;
  result.table = "Calls";
  result.name = std::to_string(shape.callers) + (shape.callers == 1 ? " caller, window " : " callers, window ") +
                std::to_string(shape.window);
  result.systems = {kOverMqttrpcd, kOverMosquitto, kGrpcUnary, kGrpcStreaming, kBareRelay};
  result.run = [shape](const std::string& system, const Settings& settings) { return Run(shape, system, settings); };
  result.growth = {std::to_string(shape.callers) + (shape.callers == 1 ? " caller" : " callers"), "window",
                   static_cast<double>(shape.window)};
  return result;
}

}  // namespace

std::vector<Case> CallCases(bool full) {
  std::vector<Case> cases;
  for (const std::size_t window : {1, 16, 256}) cases.push_back(Of({1, window}));
  if (!full) return cases;
  for (const std::size_t callers : {8, 100}) {
    for (const std::size_t window : {1, 16}) cases.push_back(Of({callers, window}));
  }
  return cases;
}

}  // namespace bench
