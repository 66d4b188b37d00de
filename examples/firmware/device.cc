// The device: takes firmware images until SIGINT or SIGTERM.
//
//   firmware-device --id kitchen --slot /tmp/kitchen.img
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/rpc/server.h"
#include "updater.h"

asio::awaitable<absl::Status> Serve(mqttrpc::mqtt::ClientOptions options, std::string slot, std::uint64_t capacity) {
  auto executor = co_await asio::this_coro::executor;
  mqttrpc::mqtt::Client client(executor, options);
  auto watch = client.WatchState([](const mqttrpc::mqtt::ConnectionState& state) {
    if (state.kind == mqttrpc::mqtt::ConnectionState::Kind::kWaiting) std::cerr << state.why << "; trying again\n";
  });
  client.Start();

  // A small device: an upload never takes more than 16 times 17 KiB of its memory, however
  // slow its flash is. The backend waits meanwhile.
  mqttrpc::ServerOptions server_options;
  server_options.limits.frames = 16;
  server_options.limits.frame_bytes = 17 * 1024;  // A chunk of 16 KiB, whole.
  demo::firmware::Updater updater(slot, capacity);
  mqttrpc::Server server(client, server_options);
  server.Add(updater);
  if (absl::Status status = co_await server.Start(); !status.ok()) co_return status;
  std::cout << "serving as " << server.instance() << " at " << client.broker() << '\n' << std::flush;

  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
  std::cout << "stopping\n" << std::flush;
  absl::Status stopped = co_await server.Stop(std::chrono::seconds(10));  // An upload under way may end.
  absl::Status disconnected = co_await client.Disconnect();
  co_return stopped.ok() ? disconnected : stopped;
}

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions options;
  std::string slot;
  std::uint64_t capacity = 64 * 1024 * 1024;
  CLI::App app(
      "Takes firmware images over MQTT until SIGINT or SIGTERM. An image replaces the one in\n"
      "the slot when all of it is there and its SHA-256 is right.");
  app.add_option("--broker", options.broker, "Where the broker listens")->capture_default_str();
  app.add_option("--id", options.client_id, "The name that backends use; also the MQTT client id")->required();
  app.add_option("--slot", slot, "The file that holds the image")->required();
  app.add_option("--capacity", capacity, "The largest image; 64k, 32M ... are understood")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.footer("Example:\n  firmware-device --id kitchen --slot /tmp/kitchen.img");
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  absl::Status status;
  asio::co_spawn(io, Serve(options, slot, capacity), [&](std::exception_ptr thrown, absl::Status result) {
    if (thrown) std::rethrow_exception(thrown);
    status = result;
  });
  io.run();
  if (!status.ok()) std::cerr << "firmware-device: " << status << '\n';
  return status.ok() ? 0 : 1;
}
