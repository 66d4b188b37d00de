// Retained messages: set one after the other, then all sent to one who subscribes.
#include <chrono>
#include <string>

#include "load/connection.h"
#include "load/loop.h"
#include "report/process_usage.h"
#include "scenarios/scenario.h"
#include "systems/programs.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPayloadBytes = 64;
constexpr std::size_t kUnderWay = 500;  // Sets that are not acknowledged yet.

class Counter final : public Connection::Handler {
 public:
  std::size_t arrived() const { return arrived_; }

 private:
  void OnPublish(Connection&, const Arrival&) override { ++arrived_; }

  std::size_t arrived_ = 0;
};

double Rate(std::size_t count, Clock::time_point start) {
  return static_cast<double>(count) / std::chrono::duration<double>(Clock::now() - start).count();
}

void SetAll(Loop& loop, Connection& publisher, std::size_t count) {
  const std::string payload(kPayloadBytes, 'x');
  for (std::size_t i = 0; i < count; ++i) {
    const std::string topic_name = "retained/" + std::to_string(i / 100) + "/" + std::to_string(i % 100);
    PublishFields fields;
    fields.topic_name = topic_name;
    fields.payload = payload;
    fields.qos = 1;
    fields.retain = true;
    publisher.Publish(fields);
    if (publisher.unacknowledged() < kUnderWay) continue;
    loop.RunUntil([&] { return publisher.unacknowledged() <= kUnderWay / 2; }, "PUBACK");
  }
  loop.RunUntil([&] { return publisher.unacknowledged() == 0; }, "PUBACK");
}

Sample Run(std::size_t count, const std::string& system) {
  Sample sample;
  const Broker broker(system);
  Loop loop;
  Counter counter;
  Connection publisher(loop, broker.port(), "publisher", counter);
  Connection reader(loop, broker.port(), "reader", counter);
  loop.RunUntil([&] { return publisher.connected() && reader.connected(); }, "CONNACK");
  const double memory = MemoryOf(broker.pid());
  Clock::time_point start = Clock::now();
  SetAll(loop, publisher, count);
  sample.Add("sets/s", Rate(count, start));
  sample.Add("broker bytes/message", (MemoryOf(broker.pid()) - memory) / static_cast<double>(count));

  const std::chrono::nanoseconds used = CpuTimeOf(broker.pid());
  start = Clock::now();
  reader.Subscribe("retained/#", 0);
  Clock::time_point last = start;
  for (std::size_t before = 0; counter.arrived() < count && Clock::now() - last < std::chrono::seconds(2);) {
    loop.RunFor(std::chrono::milliseconds(1));
    if (counter.arrived() != before) last = Clock::now();
    before = counter.arrived();
  }
  sample.Add("deliveries/s", Rate(counter.arrived(), start));
  const std::chrono::duration<double, std::micro> cpu = CpuTimeOf(broker.pid()) - used;
  sample.Add("broker us/delivery", cpu.count() / static_cast<double>(count));
  sample.losses = count > counter.arrived() ? count - counter.arrived() : 0;
  return sample;
}

}  // namespace

std::vector<Case> RetainedCases(bool full) {
  const std::size_t count = full ? 100'000 : 10'000;
  Case one;
  one.table = "Retained messages";
  one.name = std::to_string(count) + " of 64 B, set with QoS 1, read with QoS 0";
  one.systems = {kMqttrpcd, kMosquitto};
  one.run = [count](const std::string& system, const Settings&) { return Run(count, system); };
  return {one};
}

}  // namespace bench
