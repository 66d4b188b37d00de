// Serves what interop-client calls, until SIGINT or SIGTERM.
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/rpc/server.h"
#include "service.h"

namespace mqttrpc::interop {
namespace {

asio::awaitable<absl::Status> Serve(mqtt::ClientOptions client_options, ServerOptions server_options) {
  const auto executor = co_await asio::this_coro::executor;
  mqtt::Client client(executor, client_options);
  const auto watch = client.WatchState([](const mqtt::ConnectionState& state) {
    if (state.kind == mqtt::ConnectionState::Kind::kWaiting) std::cerr << state.why << "; trying again\n";
  });
  client.Start();
  TestHandlers test;
  Server server(client, server_options);
  server.Add(test);
  const absl::Status started = co_await server.Start();
  if (!started.ok()) co_return started;
  std::cout << "serving as " << server.instance() << " at " << client.broker() << '\n' << std::flush;

  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
  const absl::Status stopped = co_await server.Stop(std::chrono::seconds(2));
  const absl::Status disconnected = co_await client.Disconnect();
  co_return stopped.ok() ? disconnected : stopped;
}

}  // namespace
}  // namespace mqttrpc::interop

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions client_options;
  mqttrpc::ServerOptions server_options = mqttrpc::interop::ServingOptions();
  server_options.instance = mqttrpc::interop::kInstance;
  CLI::App app("Serves what interop-client calls, until SIGINT or SIGTERM.", "interop-server");
  app.footer(
      "Says \"serving as INSTANCE at URL\" when calls reach it. Without a broker it waits for one.\n"
      "Exit status: 0 after a signal, 1 if the broker refused it.\n\n"
      "Example, with any MQTT 5 broker at its usual port:\n"
      "  interop-server &  interop-client --case all");
  app.add_option("--broker", client_options.broker, "Where the broker listens")
      ->type_name("URL")
      ->capture_default_str();
  app.add_option("--instance", server_options.instance, "The name that callers use")
      ->type_name("NAME")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  absl::Status status;
  asio::co_spawn(io, mqttrpc::interop::Serve(client_options, server_options),
                 [&](std::exception_ptr thrown, absl::Status result) {
                   if (thrown) std::rethrow_exception(thrown);
                   status = result;
                 });
  io.run();
  if (!status.ok()) std::cerr << "interop-server: " << status << '\n';
  return status.ok() ? 0 : 1;
}
