// Clients that are there and do nothing, with one subscription each.
#include <chrono>
#include <string>

#include "load/crowd.h"
#include "report/process_usage.h"
#include "scenarios/scenario.h"
#include "systems/programs.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

class Nobody final : public Connection::Handler {};

Sample Run(std::size_t count, const std::string& system) {
  Sample sample;
  const Broker broker(system);
  Loop loop;
  Nobody nobody;
  const double memory = MemoryOf(broker.pid());
  const std::chrono::nanoseconds used = CpuTimeOf(broker.pid());
  const Clock::time_point start = Clock::now();
  const auto crowd = ConnectCrowd(loop, broker.port(), "idle", count, nobody);
  const std::chrono::duration<double> connecting = Clock::now() - start;
  const std::chrono::duration<double, std::micro> connect_cpu = CpuTimeOf(broker.pid()) - used;
  for (const auto& connection : crowd) connection->Subscribe("idle/" + std::to_string(connection->number()), 1);
  WaitForSubscriptions(loop, crowd, 1);
  loop.RunFor(std::chrono::milliseconds(100));
  const auto number = static_cast<double>(count);
  sample.Add("connects/s", number / connecting.count());
  sample.Add("broker us/connect", connect_cpu.count() / number);
  sample.Add("broker bytes/connection", (MemoryOf(broker.pid()) - memory) / number);
  return sample;
}

}  // namespace

std::vector<Case> ConnectionCases(bool full) {
  std::vector<Case> cases;
  for (const std::size_t count : full ? std::vector<std::size_t>{1000, 10'000} : std::vector<std::size_t>{1000}) {
    Case one;
    one.table = "Connections";
    one.name = std::to_string(count) + " idle, a subscription each";
    one.systems = {kMqttrpcd, kMosquitto};
    one.run = [count](const std::string& system, const Settings&) { return Run(count, system); };
    one.growth = {"idle", "connections", static_cast<double>(count)};
    cases.push_back(std::move(one));
  }
  return cases;
}

}  // namespace bench
