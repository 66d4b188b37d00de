// The backend: calls a thermostat device and says what comes back.
#include <chrono>
#include <functional>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/status.h"
#include "thermostat.mqttrpc.h"

using demo::thermostat::v1::CalibrateRequest;
using demo::thermostat::v1::SetTargetRequest;
using demo::thermostat::v1::Temperature;
using demo::thermostat::v1::TemperatureRange;
using google::protobuf::Empty;

using Thermostat = demo::thermostat::v1::ThermostatStub;

// Prints how a call ended and how long it took; false if it never reached the device.
class Report {
 public:
  explicit Report(std::string call) : call_(std::move(call)) {}

  bool Show(const absl::StatusOr<Temperature>& reply) const {
    if (!reply.ok()) return Show(reply.status());
    std::cout << Head() << "measured " << reply->measured_celsius() << ", target " << reply->target_celsius() << '\n';
    return true;
  }

  bool Show(const absl::Status& status) const {
    std::cout << Head() << absl::StatusCodeToString(status.code()) << ' ' << status.message() << '\n';
    if (auto range = mqttrpc::DetailOf<TemperatureRange>(status)) {
      std::cout << "    detail: between " << range->minimum_celsius() << " and " << range->maximum_celsius() << '\n';
    }
    return status.ok() || mqttrpc::OutcomeOf(status) != mqttrpc::Outcome::kNotExecuted;
  }

 private:
  std::string Head() const {
    const auto taken = std::chrono::steady_clock::now() - start_;
    return "  " + call_ + " [" + std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(taken).count()) +
           " us] ";
  }

  std::string call_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Makes four calls: two that work, one that the device refuses with details, and
// one that takes longer than its time. False if the device is not there.
asio::awaitable<bool> CallDevice(mqttrpc::Channel& channel, std::string device) {
  Thermostat thermostat(channel, device);

  Report get("GetTemperature()");
  if (!get.Show(co_await thermostat.GetTemperature(Empty()))) co_return false;

  SetTargetRequest warmer;
  warmer.set_celsius(23.5);
  Report set("SetTarget(23.5)");
  if (!set.Show(co_await thermostat.SetTarget(warmer))) co_return false;

  SetTargetRequest too_warm;
  too_warm.set_celsius(99);
  Report refused("SetTarget(99)");
  if (!refused.Show(co_await thermostat.SetTarget(too_warm))) co_return false;

  CalibrateRequest long_work;
  long_work.set_seconds(30);
  mqttrpc::CallOptions impatient;
  impatient.timeout = std::chrono::milliseconds(300);
  Report calibrate("Calibrate(30 s), given 300 ms");
  absl::StatusOr<Empty> calibrated = co_await thermostat.Calibrate(long_work, impatient);
  co_return calibrate.Show(calibrated.status());
}

asio::awaitable<bool> Run(mqttrpc::mqtt::ClientOptions options, std::string device) {
  mqttrpc::mqtt::Client client(co_await asio::this_coro::executor, options);
  client.Start();
  mqttrpc::Channel channel(client);
  const bool present = co_await CallDevice(channel, device);
  absl::Status disconnected = co_await client.Disconnect();
  if (!disconnected.ok()) std::cerr << "disconnect: " << disconnected << "\n";
  co_return present;
}

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions options;
  std::string device;
  CLI::App app("Calls a thermostat device over MQTT. Exit status 1 if it is not there.");
  app.add_option("--broker", options.broker, "Where the broker listens")->capture_default_str();
  app.add_option("--device", device, "The device's instance id, or _ for any")->required();
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  bool present = false;
  asio::co_spawn(io, Run(options, device), [&](std::exception_ptr thrown, bool result) {
    if (thrown) std::rethrow_exception(thrown);
    present = result;
  });
  io.run();
  return present ? 0 : 1;
}
