// Streams as fast as they go, one way, beside gRPC's.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "report/process_usage.h"
#include "scenarios/meter.h"
#include "scenarios/scenario.h"
#include "scenarios/stream_world.h"

namespace bench {
namespace {

constexpr double kMebibyte = 1024 * 1024;

Sample Run(const StreamShape& shape, const std::string& system, const Settings& settings) {
  Sample sample;
  // Many streams with so many frames each may be more than the broker keeps for one client.
  if (system == kStreamsOfManyFrames && shape.streams > 1) return sample;
  StreamWorld world(system, shape);
  world.OpenStreams();
  MeasuredLoad load;
  load.unit = "message";
  load.count = [&] { return world.counts().read.load(); };
  load.run_for = [](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); };
  load.processes = {{"writer", world.writer()}, {"reader", world.reader()}};
  if (world.broker() >= 0) load.processes.push_back({"broker", world.broker()});
  load.sums = true;
  Measure(load, settings.interval, sample);
  for (const MeasuredProcess& process : load.processes) {
    sample.Add(process.name + " peak MiB", PeakMemoryOf(process.pid) / kMebibyte);
  }
  world.Stop(sample);
  return sample;
}

Case Of(const StreamShape& shape) {
  Case result;
  result.table = "Streams";
  result.name = std::string(shape.upload ? "client streaming, " : "server streaming, ") +
                std::to_string(shape.streams) + (shape.streams == 1 ? " stream, " : " streams, ") +
                std::to_string(shape.payload_bytes) + " B";
  result.systems = {kStreamsOverMqttrpcd, kStreamsOverGrpc, kStreamsOfManyFrames};
  result.run = [shape](const std::string& system, const Settings& settings) { return Run(shape, system, settings); };
  return result;
}

}  // namespace

std::vector<Case> StreamCases(bool full) {
  std::vector<Case> cases;
  for (const bool upload : {false, true}) {
    for (const std::size_t bytes : full ? std::vector<std::size_t>{100, 1024} : std::vector<std::size_t>{100}) {
      for (const std::size_t streams : {1, 16}) {
        StreamShape shape;
        shape.streams = streams;
        shape.payload_bytes = bytes;
        shape.upload = upload;
        cases.push_back(Of(shape));
      }
    }
  }
  return cases;
}

}  // namespace bench
