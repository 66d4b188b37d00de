// The backend: watches a device and prints what it measures.
//
//   telemetry-backend --device kitchen --rate 100              # every sample
//   telemetry-backend --device kitchen --rate 100 --slow 200   # the newest, five a second
//   telemetry-backend --device kitchen --rate 100 --lossy      # half the packets; cuts lose some
#include <chrono>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <limits>
#include <optional>
#include <string>

#include <google/protobuf/util/time_util.h>
#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/rpc/channel.h"
#include "telemetry.mqttrpc.h"

using demo::telemetry::v1::Sample;
using demo::telemetry::v1::TelemetryStub;
using demo::telemetry::v1::WatchRequest;

struct Task {
  std::string device;
  double rate = 10;
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  int slow_ms = 0;
  bool lossy = false;
};

void Print(const Sample& sample) {
  std::cout << '#' << sample.number() << " at " << google::protobuf::util::TimeUtil::ToString(sample.uptime()) << ": "
            << std::fixed << std::setprecision(2) << sample.celsius() << " degrees Celsius";
  if (sample.skipped() > 0) std::cout << ", " << sample.skipped() << " skipped before";
  std::cout << '\n' << std::flush;
}

asio::awaitable<absl::Status> Watch(mqttrpc::Channel& channel, const Task& task) {
  auto executor = co_await asio::this_coro::executor;
  TelemetryStub device(channel, task.device);
  WatchRequest request;
  request.set_samples_per_second(task.rate);
  auto samples = task.lossy ? device.WatchLossy(request) : device.Watch(request);

  asio::signal_set signals(executor, SIGINT, SIGTERM);
  signals.async_wait([&](asio::error_code error, int) {
    if (!error) samples.Cancel();
  });

  std::uint64_t read = 0;
  std::uint64_t skipped = 0;
  while (read < task.count) {
    const std::optional<Sample> sample = co_await samples.Read();
    if (!sample) break;
    Print(*sample);
    ++read;
    skipped += sample->skipped();
    asio::steady_timer work(executor, std::chrono::milliseconds(task.slow_ms));
    co_await work.async_wait(asio::use_awaitable);
  }
  const bool enough = read == task.count;
  if (enough) samples.Cancel();
  absl::Status ended = co_await samples.Finish();
  std::cout << read << " read, " << skipped << " skipped by the device, " << samples.lost() << " lost\n";
  co_return absl::IsCancelled(ended) ? absl::OkStatus() : ended;  // By us.
}

asio::awaitable<absl::Status> Run(mqttrpc::mqtt::ClientOptions options, const Task& task) {
  mqttrpc::mqtt::Client client(co_await asio::this_coro::executor, options);
  client.Start();
  // So many samples may be under way or wait here: what a slow reader sees is no older.
  mqttrpc::ChannelOptions channel_options;
  channel_options.limits.frames = 16;
  mqttrpc::Channel channel(client, channel_options);
  absl::Status watched = co_await Watch(channel, task);
  absl::Status disconnected = co_await client.Disconnect();
  co_return watched.ok() ? disconnected : watched;
}

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions options;
  Task task;
  CLI::App app(
      "Watches what a device measures, over MQTT, until SIGINT or SIGTERM. If this program is\n"
      "too slow for the rate, the device leaves samples out and says how many. Exit status 1 if\n"
      "the device is not there, or goes.");
  app.add_option("--broker", options.broker, "Where the broker listens")->capture_default_str();
  app.add_option("--device", task.device, "The device's id, or _ for any")->required();
  app.add_option("--rate", task.rate, "Samples per second")->capture_default_str();
  app.add_option("--count", task.count, "End after so many samples");
  app.add_option("--slow", task.slow_ms, "Take so many ms for each sample")->check(CLI::NonNegativeNumber);
  app.add_flag("--lossy", task.lossy, "Half the packets, but a cut of the connection loses samples");
  app.footer(
      "Examples:\n"
      "  telemetry-backend --device kitchen --rate 100             every sample\n"
      "  telemetry-backend --device kitchen --rate 100 --slow 200  five a second, with what is skipped");
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  absl::Status status;
  asio::co_spawn(io, Run(options, task), [&](std::exception_ptr thrown, absl::Status result) {
    if (thrown) std::rethrow_exception(thrown);
    status = result;
  });
  io.run();
  if (!status.ok()) std::cerr << "telemetry-backend: " << status << '\n';
  return status.ok() ? 0 : 1;
}
