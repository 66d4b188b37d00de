// The device: sends samples to whoever watches, until SIGINT or SIGTERM.
//
//   telemetry-device --id kitchen
#include <chrono>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/rpc/server.h"
#include "sensor.h"

asio::awaitable<absl::Status> Serve(mqttrpc::mqtt::ClientOptions options) {
  auto executor = co_await asio::this_coro::executor;
  mqttrpc::mqtt::Client client(executor, options);
  auto watch = client.WatchState([](const mqttrpc::mqtt::ConnectionState& state) {
    if (state.kind == mqttrpc::mqtt::ConnectionState::Kind::kWaiting) std::cerr << state.why << "; trying again\n";
  });
  client.Start();

  demo::telemetry::Sensor sensor(mqttrpc::mqtt::SystemClock());
  mqttrpc::Server server(client);
  server.Add(sensor);
  if (absl::Status status = co_await server.Start(); !status.ok()) co_return status;
  std::cout << "serving as " << server.instance() << " at " << client.broker() << '\n' << std::flush;

  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
  std::cout << "stopping\n" << std::flush;
  // Streams without an end are not waited for: their readers are told UNAVAILABLE.
  absl::Status stopped = co_await server.Stop(std::chrono::milliseconds(0));
  if (!stopped.ok()) std::cout << stopped.message() << '\n';
  co_return co_await client.Disconnect();
}

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions options;
  CLI::App app("Sends samples over MQTT to whoever watches, until SIGINT or SIGTERM.");
  app.add_option("--broker", options.broker, "Where the broker listens")->capture_default_str();
  app.add_option("--id", options.client_id, "The name that backends use; also the MQTT client id")->required();
  app.footer("Example:\n  telemetry-device --id kitchen");
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  absl::Status status;
  asio::co_spawn(io, Serve(options), [&](std::exception_ptr thrown, absl::Status result) {
    if (thrown) std::rethrow_exception(thrown);
    status = result;
  });
  io.run();
  if (!status.ok()) std::cerr << "telemetry-device: " << status << '\n';
  return status.ok() ? 0 : 1;
}
