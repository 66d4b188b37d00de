// The device: writes a log and lets others follow it, until SIGINT or SIGTERM.
//
//   log-tail-device --id kitchen
#include <array>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "log.h"
#include "mqttrpc/rpc/server.h"

namespace v1 = demo::log_tail::v1;

constexpr auto kNoThrow = asio::experimental::as_tuple(asio::use_awaitable);

struct Entry {
  v1::Level level;
  const char* text;
};

// What happens in a kitchen, over and over.
constexpr std::array<Entry, 6> kEntries = {{
    {v1::LEVEL_DEBUG, "fridge: compressor on"},
    {v1::LEVEL_INFO, "oven: reached 200 degrees"},
    {v1::LEVEL_DEBUG, "fridge: compressor off"},
    {v1::LEVEL_WARNING, "fridge: door is open"},
    {v1::LEVEL_INFO, "dishwasher: done"},
    {v1::LEVEL_ERROR, "oven: fan does not turn"},
}};

// Writes until `timer` is cancelled.
asio::awaitable<void> LiveOn(demo::log_tail::Log& log, asio::steady_timer& timer, std::chrono::milliseconds interval) {
  for (std::size_t i = 0;; ++i) {
    timer.expires_after(interval);
    const auto [error] = co_await timer.async_wait(kNoThrow);
    if (error) co_return;
    const Entry& entry = kEntries[i % kEntries.size()];
    log.Write(entry.level, entry.text);
  }
}

asio::awaitable<absl::Status> Serve(mqttrpc::mqtt::ClientOptions options, std::chrono::milliseconds interval) {
  auto executor = co_await asio::this_coro::executor;
  mqttrpc::mqtt::Client client(executor, options);
  auto watch = client.WatchState([](const mqttrpc::mqtt::ConnectionState& state) {
    if (state.kind == mqttrpc::mqtt::ConnectionState::Kind::kWaiting) std::cerr << state.why << "; trying again\n";
  });
  client.Start();

  // Handlers run on the client's executor, and so does all that uses the log.
  demo::log_tail::Log log(client.executor(), 1'000);
  asio::steady_timer timer(client.executor());
  asio::co_spawn(client.executor(), LiveOn(log, timer, interval), asio::detached);

  demo::log_tail::LogTail tail(log);
  mqttrpc::Server server(client);
  server.Add(tail);
  if (absl::Status status = co_await server.Start(); !status.ok()) co_return status;
  std::cout << "serving as " << server.instance() << " at " << client.broker() << '\n' << std::flush;

  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(kNoThrow);
  std::cout << "stopping\n" << std::flush;
  timer.cancel();
  // Streams without an end are not waited for: their readers are told UNAVAILABLE.
  absl::Status stopped = co_await server.Stop(std::chrono::milliseconds(0));
  if (!stopped.ok()) std::cout << stopped.message() << '\n';
  co_return co_await client.Disconnect();
}

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions options;
  int interval_ms = 500;
  CLI::App app("Writes a log, and sends its lines over MQTT to whoever follows it, until SIGINT or SIGTERM.");
  app.add_option("--broker", options.broker, "Where the broker listens")->capture_default_str();
  app.add_option("--id", options.client_id, "The name that backends use; also the MQTT client id")->required();
  app.add_option("--interval", interval_ms, "Milliseconds from line to line")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.footer("Example:\n  log-tail-device --id kitchen");
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  absl::Status status;
  asio::co_spawn(io, Serve(options, std::chrono::milliseconds(interval_ms)),
                 [&](std::exception_ptr thrown, absl::Status result) {
                   if (thrown) std::rethrow_exception(thrown);
                   status = result;
                 });
  io.run();
  if (!status.ok()) std::cerr << "log-tail-device: " << status << '\n';
  return status.ok() ? 0 : 1;
}
