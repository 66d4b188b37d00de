// Echo calls of large messages, which both sides put together from pieces.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include "load/call_load.h"
#include "report/process_usage.h"
#include "scenarios/meter.h"
#include "scenarios/scenario.h"
#include "systems/peer.h"
#include "systems/programs.h"

namespace bench {
namespace {

constexpr char kOverMqttrpcd[] = "mqttrpc over mqttrpcd";
constexpr char kLargeFrames[] = "mqttrpc, frames of 256 KiB";
constexpr char kGrpcUnary[] = "gRPC unary";
constexpr std::size_t kKibibyte = 1024;
constexpr std::size_t kMebibyte = 1024 * kKibibyte;

struct Shape {
  std::size_t payload_bytes = 0;
  std::size_t window = 1;
};

void MeasureCalls(Peer& peer, const Shape& shape, std::vector<MeasuredProcess> processes, const Settings& settings,
                  Sample& sample) {
  CallLoad calls(peer, 1, shape.window);
  MeasuredLoad load;
  load.unit = "call";
  load.count = [&] { return calls.ended(); };
  load.run_for = [](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); };
  load.take_latencies = [&] { return calls.TakeLatencies(); };
  load.processes = std::move(processes);
  load.sums = true;
  Measure(load, settings.interval, sample);
  const double calls_per_second = sample.metrics.front().value;
  sample.Add("MB/s", calls_per_second * static_cast<double>(shape.payload_bytes) / 1e6);
  for (const MeasuredProcess& process : load.processes) {
    if (process.pid == getpid()) continue;  // It has a past.
    sample.Add(process.name + " peak MiB", PeakMemoryOf(process.pid) / kMebibyte);
  }
  calls.Stop(sample);
}

Sample Run(const Shape& shape, const std::string& system, const Settings& settings) {
  Sample sample;
  PeerOptions options;
  options.payload_bytes = shape.payload_bytes;
  if (system == kGrpcUnary) {
    const Program server = StartSelf({"serve-grpc"}, "ready ");
    options.address = server.ready_line();
    const std::unique_ptr<Peer> peer = NewGrpcPeer(options);
    MeasureCalls(*peer, shape, {{"caller", getpid()}, {"server", server.pid()}}, settings, sample);
    return sample;
  }
  const Broker broker(kMqttrpcd);
  if (system == kLargeFrames) options.frame_bytes = 256 * kKibibyte;
  const Program server = StartSelf(
      {"serve-mqttrpc", "--broker", broker.url(), "--frame-bytes", std::to_string(options.frame_bytes)}, "ready ");
  options.address = broker.url();
  const std::unique_ptr<Peer> peer = NewMqttrpcPeer(options);
  MeasureCalls(*peer, shape, {{"caller", getpid()}, {"broker", broker.pid()}, {"server", server.pid()}}, settings,
               sample);
  return sample;
}

Case Of(const Shape& shape, const std::string& size) {
  Case result;
  result.table = "Large messages";
  result.name = size + ", window " + std::to_string(shape.window);
  result.systems = {kOverMqttrpcd, kGrpcUnary, kLargeFrames};
  result.run = [shape](const std::string& system, const Settings& settings) { return Run(shape, system, settings); };
  return result;
}

}  // namespace

std::vector<Case> LargeMessageCases(bool full) {
  std::vector<Case> cases = {Of({64 * kKibibyte, 1}, "64 KiB"), Of({kMebibyte, 1}, "1 MiB"),
                             Of({16 * kMebibyte, 1}, "16 MiB")};
  if (!full) return cases;
  cases.push_back(Of({64 * kKibibyte, 4}, "64 KiB"));
  cases.push_back(Of({kMebibyte, 4}, "1 MiB"));
  return cases;
}

}  // namespace bench
