// mqttrpc-bench: round trips per second and latencies of small calls, over our
// broker and over mosquitto, beside gRPC, all in one run.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "fan_out.h"
#include "load.h"
#include "mqttrpc/broker/broker.h"
#include "peer.h"
#include "programs.h"

namespace bench {
namespace {

struct Options {
  std::vector<std::size_t> windows{1, 16, 256};
  std::size_t payload_bytes = 64;
  int milliseconds = 2000;
  int rounds = 3;
};

// A system under test: its processes, and the peer that calls through them.
struct System {
  std::string name;
  std::vector<Program> processes;
  std::unique_ptr<Peer> peer;
};

System OverBroker(std::string name, Program broker, const std::string& url, const std::string& self,
                  const Options& options) {
  System system;
  std::string instance;
  system.name = std::move(name);
  system.processes.push_back(std::move(broker));
  system.processes.push_back(Start({self, "serve-mqttrpc", "--broker", url}, "ready ", instance));
  system.peer = NewMqttrpcPeer(url, options.payload_bytes);
  return system;
}

System OverMqttrpcd(const std::string& self, const Options& options) {
  std::string url;
  Program broker = StartMqttrpcd(url);
  return OverBroker("mqttrpc over mqttrpcd", std::move(broker), url, self, options);
}

System OverMosquitto(const std::string& self, const Options& options) {
  std::string url;
  Program broker = StartMosquitto(url);
  return OverBroker("mqttrpc over mosquitto", std::move(broker), url, self, options);
}

System OverGrpc(const std::string& self, const Options& options) {
  System system;
  std::string address;
  system.name = "gRPC C++ (no broker)";
  system.processes.push_back(Start({self, "serve-grpc"}, "ready ", address));
  system.peer = NewGrpcPeer(address, options.payload_bytes);
  return system;
}

// The run whose throughput is the middle one.
LoadResult Median(std::vector<LoadResult> runs) {
  std::sort(runs.begin(), runs.end(),
            [](const LoadResult& a, const LoadResult& b) { return a.calls_per_second < b.calls_per_second; });
  LoadResult median = runs[runs.size() / 2];
  median.failures = 0;
  for (const LoadResult& run : runs) median.failures += run.failures;
  return median;
}

void PrintTable(const std::vector<System>& systems, const Options& options,
                const std::vector<std::vector<std::vector<LoadResult>>>& runs) {
  std::printf("\n| window | system | calls/s | of gRPC | p50 us | p99 us | failed |\n|---|---|---|---|---|---|---|\n");
  for (std::size_t w = 0; w < options.windows.size(); ++w) {
    const double reference = Median(runs.back()[w]).calls_per_second;
    for (std::size_t s = 0; s < systems.size(); ++s) {
      const LoadResult median = Median(runs[s][w]);
      std::printf("| %zu | %s | %.0f | %.2f | %.0f | %.0f | %llu |\n", options.windows[w], systems[s].name.c_str(),
                  median.calls_per_second, median.calls_per_second / reference,
                  static_cast<double>(median.p50.count()) / 1000, static_cast<double>(median.p99.count()) / 1000,
                  static_cast<unsigned long long>(median.failures));
    }
  }
}

// How long an in-process broker takes to listen and to stop again: the median of many.
std::chrono::nanoseconds BrokerLife() {
  constexpr int kTimes = 101;
  std::vector<std::chrono::nanoseconds> lives;
  for (int i = 0; i < kTimes; ++i) {
    const auto start = std::chrono::steady_clock::now();
    {
      mqttrpc::broker::Broker broker;
      if (!broker.Listen("mqtt://127.0.0.1:0").ok()) std::exit(1);
    }
    lives.push_back(std::chrono::steady_clock::now() - start);
  }
  std::nth_element(lives.begin(), lives.begin() + kTimes / 2, lives.end());
  return lives[kTimes / 2];
}

int Compare(const std::string& self, const Options& options) {
  std::vector<System> systems;
  systems.push_back(OverMqttrpcd(self, options));
  systems.push_back(OverMosquitto(self, options));
  systems.push_back(OverGrpc(self, options));

  const std::chrono::milliseconds duration(options.milliseconds);
  for (System& system : systems) RunLoad(*system.peer, 16, duration / 4);  // Warms up.

  // The systems take turns, so that a slow moment of the machine hits all of them.
  std::vector runs(systems.size(), std::vector<std::vector<LoadResult>>(options.windows.size()));
  for (int round = 1; round <= options.rounds; ++round) {
    for (std::size_t w = 0; w < options.windows.size(); ++w) {
      for (std::size_t s = 0; s < systems.size(); ++s) {
        runs[s][w].push_back(RunLoad(*systems[s].peer, options.windows[w], duration));
        std::fprintf(stderr, "round %d/%d, window %zu, %s: %.0f calls/s\n", round, options.rounds, options.windows[w],
                     systems[s].name.c_str(), runs[s][w].back().calls_per_second);
      }
    }
  }
  PrintTable(systems, options, runs);
  std::printf("\nAn in-process broker starts, listens and stops in %.0f us.\n",
              static_cast<double>(BrokerLife().count()) / 1000);
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  std::string broker_url;
  CLI::App app(
      "Measures small calls over mqttrpcd and over mosquitto, beside gRPC C++ unary calls, on loopback TCP.\n"
      "Each system has its server in a process of its own. Prints a Markdown table of the median rounds.");
  app.add_option("--window", options.windows, "Calls under way at a time")->delimiter(',')->capture_default_str();
  app.add_option("--payload", options.payload_bytes, "Bytes in each request and reply")->capture_default_str();
  app.add_option("--milliseconds", options.milliseconds, "How long each measurement takes")->capture_default_str();
  app.add_option("--rounds", options.rounds, "How often everything is measured")->capture_default_str();
  FanOutOptions fan_out;
  int fan_out_milliseconds = static_cast<int>(fan_out.duration.count());
  CLI::App* fan = app.add_subcommand(
      "fan-out", "Measure instead how long one message to many subscribers takes while some of them read nothing");
  fan->add_option("--subscribers", fan_out.subscribers, "How many read")->capture_default_str();
  fan->add_option("--frozen", fan_out.frozen, "How many more do not")->delimiter(',')->capture_default_str();
  fan->add_option("--payload", fan_out.payload_bytes, "Bytes in each message")->capture_default_str();
  fan->add_option("--rate", fan_out.messages_per_second, "Messages per second")->capture_default_str();
  fan->add_option("--milliseconds", fan_out_milliseconds, "How long each measurement takes")->capture_default_str();
  fan->add_option("--rounds", fan_out.rounds, "How often everything is measured")->capture_default_str();
  CLI::App* serve_mqttrpc = app.add_subcommand("serve-mqttrpc", "")->group("");  // For our own child processes.
  serve_mqttrpc->add_option("--broker", broker_url)->required();
  CLI::App* serve_grpc = app.add_subcommand("serve-grpc", "")->group("");
  CLI11_PARSE(app, argc, argv);
  if (serve_mqttrpc->parsed()) return ServeMqttrpc(broker_url);
  if (serve_grpc->parsed()) return ServeGrpc();
  if (fan->parsed()) {
    fan_out.duration = std::chrono::milliseconds(fan_out_milliseconds);
    return CompareFanOut(fan_out);
  }
  return Compare("/proc/self/exe", options);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::Main(argc, argv); }
