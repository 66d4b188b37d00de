// Runs gRPC's interoperability cases against an interop-server.
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "cases.h"
#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/rpc/channel.h"
#include "service.h"

namespace mqttrpc::interop {
namespace {

// One line for each case; true if all went well.
asio::awaitable<bool> RunCases(mqtt::ClientOptions options, std::string instance, std::vector<const Case*> cases) {
  mqtt::Client client(co_await asio::this_coro::executor, options);
  const auto watch = client.WatchState([](const mqtt::ConnectionState& state) {
    if (state.kind == mqtt::ConnectionState::Kind::kWaiting) std::cerr << state.why << "; trying again\n";
  });
  client.Start();
  Channel channel(client, CallingOptions());
  const Target target(channel, instance);
  bool well = true;
  for (const Case* each : cases) {
    const absl::Status status = co_await each->run(target);
    std::cout << each->name << ": " << (status.ok() ? "ok" : "failed: " + std::string(status.message())) << '\n'
              << std::flush;
    well = well && status.ok();
  }
  const absl::Status disconnected = co_await client.Disconnect();
  if (!disconnected.ok()) std::cerr << "interop-client: disconnect: " << disconnected << '\n';
  co_return well;
}

std::vector<const Case*> Select(const std::vector<std::string>& names) {
  std::vector<const Case*> cases;
  for (const std::string& name : names) {
    if (name != "all") {
      cases.push_back(FindCase(name));
      continue;
    }
    for (const Case& each : Cases()) cases.push_back(&each);
  }
  return cases;
}

std::string CheckName(const std::string& name) {
  if (name == "all" || FindCase(name) != nullptr) return "";
  return "there is no case " + name + "; --list shows them";
}

void PrintCases() {
  for (const Case& each : Cases()) {
    std::cout << each.name << std::string(30 - each.name.size(), ' ') << each.promise << '\n';
  }
}

}  // namespace
}  // namespace mqttrpc::interop

int main(int argc, char** argv) {
  using namespace mqttrpc::interop;  // NOLINT(google-build-using-namespace)
  mqttrpc::mqtt::ClientOptions options;
  std::string instance = kInstance;
  std::vector<std::string> names{"all"};
  bool list = false;
  CLI::App app("Runs gRPC's interoperability cases against an interop-server, over any MQTT 5 broker.",
               "interop-client");
  app.footer(
      "Prints one line for each case, \"NAME: ok\" or \"NAME: failed: \" and what differs.\n"
      "Exit status: 0 if all went well, 1 if not.\n\n"
      "Example:\n"
      "  interop-client --broker mqtt://127.0.0.1:1883 --case ping_pong --case large_unary");
  app.add_option("--broker", options.broker, "Where the broker listens")->type_name("URL")->capture_default_str();
  app.add_option("--instance", instance, "The server's name")->type_name("NAME")->capture_default_str();
  app.add_option("--case", names, "What to run; may be repeated. all: every case there is")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->check(CLI::Validator(CheckName, ""))
      ->capture_default_str();
  app.add_flag("--list", list, "Print the cases and what each promises, and end");
  CLI11_PARSE(app, argc, argv);
  if (list) {
    PrintCases();
    return 0;
  }

  asio::io_context io;
  bool well = false;
  asio::co_spawn(io, RunCases(options, instance, Select(names)), [&](std::exception_ptr thrown, bool result) {
    if (thrown) std::rethrow_exception(thrown);
    well = result;
  });
  io.run();
  return well ? 0 : 1;
}
