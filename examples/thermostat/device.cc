// The device: serves demo.thermostat.v1.Thermostat until SIGINT or SIGTERM.
#include <chrono>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/rpc/server.h"
#include "mqttrpc/rpc/status.h"
#include "thermostat.mqttrpc.h"

using demo::thermostat::v1::CalibrateRequest;
using demo::thermostat::v1::SetTargetRequest;
using demo::thermostat::v1::Temperature;
using demo::thermostat::v1::TemperatureRange;
using google::protobuf::Empty;

class Thermostat final : public demo::thermostat::v1::ThermostatService {
 public:
  absl::StatusOr<Temperature> GetTemperature(mqttrpc::ServerContext&, const Empty&) override { return temperature_; }

  absl::StatusOr<Temperature> SetTarget(mqttrpc::ServerContext&, const SetTargetRequest& request) override {
    if (!(request.celsius() >= kMinimum && request.celsius() <= kMaximum)) {
      absl::Status status =
          absl::OutOfRangeError("target is " + std::to_string(request.celsius()) + " degrees Celsius");
      TemperatureRange range;
      range.set_minimum_celsius(kMinimum);
      range.set_maximum_celsius(kMaximum);
      mqttrpc::AddDetail(status, range);
      return status;
    }
    temperature_.set_target_celsius(request.celsius());
    return temperature_;
  }

  // A coroutine: the device serves other calls meanwhile. When the caller gives
  // up, the wait ends early.
  asio::awaitable<absl::StatusOr<Empty>> CoCalibrate(mqttrpc::ServerContext& context,
                                                     const CalibrateRequest& request) override {
    std::cout << "calibrating for " << request.seconds() << " s\n" << std::flush;
    asio::steady_timer timer(context.executor(), std::chrono::seconds(request.seconds()));
    auto [error] = co_await timer.async_wait(kNoThrow);
    if (error) {
      std::cout << "calibration given up by " << context.caller() << '\n' << std::flush;
      co_return absl::CancelledError("calibration was given up");
    }
    co_return Empty();
  }

 private:
  static constexpr double kMinimum = 5;
  static constexpr double kMaximum = 30;
  static constexpr auto kNoThrow = asio::experimental::as_tuple(asio::use_awaitable);

  Temperature temperature_ = [] {
    Temperature start;
    start.set_measured_celsius(19.5);
    start.set_target_celsius(21);
    return start;
  }();
};

asio::awaitable<absl::Status> Serve(mqttrpc::mqtt::ClientOptions options) {
  auto executor = co_await asio::this_coro::executor;
  mqttrpc::mqtt::Client client(executor, options);
  auto watch = client.WatchState([](const mqttrpc::mqtt::ConnectionState& state) {
    if (state.kind == mqttrpc::mqtt::ConnectionState::Kind::kWaiting) std::cerr << state.why << "; trying again\n";
  });
  client.Start();

  Thermostat thermostat;
  mqttrpc::Server server(client);
  server.Add(thermostat);
  if (absl::Status status = co_await server.Start(); !status.ok()) co_return status;
  std::cout << "serving as " << server.instance() << " at " << client.broker() << '\n' << std::flush;

  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
  std::cout << "stopping\n" << std::flush;
  absl::Status stopped = co_await server.Stop(std::chrono::seconds(2));
  absl::Status disconnected = co_await client.Disconnect();
  co_return stopped.ok() ? disconnected : stopped;
}

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions options;
  CLI::App app("Serves a thermostat over MQTT until SIGINT or SIGTERM.");
  app.add_option("--broker", options.broker, "Where the broker listens")->capture_default_str();
  app.add_option("--instance", options.client_id, "The name that callers use; also the MQTT client id")->required();
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  absl::Status status;
  asio::co_spawn(io, Serve(options), [&](std::exception_ptr thrown, absl::Status result) {
    if (thrown) std::rethrow_exception(thrown);
    status = result;
  });
  io.run();
  if (!status.ok()) std::cerr << "thermostat-device: " << status << '\n';
  return status.ok() ? 0 : 1;
}
