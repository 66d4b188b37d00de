// A reader that stops to read: how much its writer and the broker keep for it.
#include <chrono>
#include <string>
#include <thread>

#include "report/process_usage.h"
#include "scenarios/scenario.h"
#include "scenarios/stream_world.h"

namespace bench {
namespace {

constexpr double kMebibyte = 1024 * 1024;

// Until the writer has not written for a while: it is held up.
void WaitForStandstill(const StreamCounts& counts, std::uint64_t to_read) {
  constexpr std::chrono::milliseconds kStandstill(500);
  constexpr std::chrono::seconds kPatience(20);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + kPatience;
  std::uint64_t written = 0;
  for (Clock::time_point changed = Clock::now(); Clock::now() - changed < kStandstill;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const std::uint64_t now = counts.written;
    if (now != written || counts.read < to_read) changed = Clock::now();
    written = now;
    if (Clock::now() > end) throw Void("the writer does not stop");
  }
}

Sample Run(const StreamShape& shape, const std::string& system) {
  Sample sample;
  StreamWorld world(system, shape);
  const double writer_before = AllocatedMemoryOf(world.writer());
  const double broker_before = world.broker() >= 0 ? AllocatedMemoryOf(world.broker()) : 0;
  world.OpenStreams();
  WaitForStandstill(world.counts(), shape.read_only * shape.streams);
  const StreamCounts& counts = world.counts();
  const auto ahead = static_cast<double>(counts.written - counts.read);
  sample.Add("messages ahead/stream", ahead / static_cast<double>(shape.streams));
  sample.Add("writer MiB before", writer_before / kMebibyte);
  sample.Add("writer MiB after", AllocatedMemoryOf(world.writer()) / kMebibyte);
  if (world.broker() >= 0) {
    sample.Add("broker MiB before", broker_before / kMebibyte);
    sample.Add("broker MiB after", AllocatedMemoryOf(world.broker()) / kMebibyte);
  }
  sample.Add("reader MiB after", AllocatedMemoryOf(world.reader()) / kMebibyte);
  sample.losses = counts.failed;
  sample.disorder = counts.disorder;
  return sample;
}

}  // namespace

std::vector<Case> SlowReaderCases() {
  std::vector<Case> cases;
  for (const std::size_t streams : {1, 16}) {
    StreamShape shape;
    shape.streams = streams;
    shape.payload_bytes = 1024;
    shape.read_only = 1000;
    Case one;
    one.table = "Readers that stop";
    one.name = std::to_string(streams) + (streams == 1 ? " stream" : " streams") + ", 1024 B, 1000 messages read";
    one.systems = {kStreamsOverMqttrpcd, kStreamsOverGrpc};
    one.run = [shape](const std::string& system, const Settings&) { return Run(shape, system); };
    cases.push_back(std::move(one));
  }
  return cases;
}

}  // namespace bench
