// Caller, broker and device in one process, without sockets; and a broker's life.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "load/call_load.h"
#include "mqttrpc/broker/broker.h"
#include "scenarios/meter.h"
#include "scenarios/scenario.h"
#include "systems/peer.h"

namespace bench {
namespace {

constexpr char kOurs[] = "mqttrpc in process";
constexpr char kGrpc[] = "gRPC in process";
constexpr std::size_t kPayloadBytes = 64;

Sample RunCalls(std::size_t window, const std::string& system, const Settings& settings) {
  Sample sample;
  const std::unique_ptr<Peer> peer =
      system == kOurs ? NewInProcessPeer(kPayloadBytes) : NewGrpcInProcessPeer(kPayloadBytes);
  CallLoad calls(*peer, 1, window);
  MeasuredLoad load;
  load.unit = "call";
  load.count = [&] { return calls.ended(); };
  load.run_for = [](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); };
  load.take_latencies = [&] { return calls.TakeLatencies(); };
  load.processes = {{"cpu", getpid()}};
  Measure(load, settings.interval, sample);
  calls.Stop(sample);
  return sample;
}

// Constructing a broker, listening on a free TCP port, and destroying it again.
Sample RunLife() {
  constexpr int kTimes = 101;
  Latencies lives;
  for (int i = 0; i < kTimes; ++i) {
    const auto start = std::chrono::steady_clock::now();
    {
      mqttrpc::broker::Broker broker;
      if (!broker.Listen("mqtt://127.0.0.1:0").ok()) throw Void("cannot listen");
    }
    lives.Add(std::chrono::steady_clock::now() - start);
  }
  Sample sample;
  lives.Report(sample);
  return sample;
}

}  // namespace

std::vector<Case> InProcessCases() {
  std::vector<Case> cases;
  for (const std::size_t window : {1, 16}) {
    Case calls;
    calls.table = "In process";
    calls.name = "calls, window " + std::to_string(window);
    calls.systems = {kOurs, kGrpc};
    calls.run = [window](const std::string& system, const Settings& settings) {
      return RunCalls(window, system, settings);
    };
    cases.push_back(std::move(calls));
  }
  Case life;
  life.table = "An in-process broker's life";
  life.name = "construct, listen on TCP, destroy";
  life.systems = {kOurs};
  life.run = [](const std::string&, const Settings&) { return RunLife(); };
  cases.push_back(std::move(life));
  return cases;
}

}  // namespace bench
