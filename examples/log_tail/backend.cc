// The backend: follows a device's log; each line of standard input is a new filter.
//
//   log-tail-backend --device kitchen --filter warning
#include <cstdint>
#include <iostream>
#include <limits>
#include <optional>
#include <string>

#include <fcntl.h>

#include <google/protobuf/util/time_util.h>
#include <CLI/CLI.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read_until.hpp>
#include <asio/signal_set.hpp>
#include <asio/use_awaitable.hpp>

#include "filter.h"
#include "log_tail.mqttrpc.h"
#include "mqttrpc/rpc/channel.h"

namespace v1 = demo::log_tail::v1;
using namespace asio::experimental::awaitable_operators;  // For &&: both, to the end.

using Tail = mqttrpc::ClientReaderWriter<v1::Filter, v1::Line>;

struct Task {
  std::string device;
  std::string filter;
  std::uint64_t lines = std::numeric_limits<std::uint64_t>::max();
};

// To the end of the input, or until it is closed.
asio::awaitable<void> SendFilters(Tail& tail, asio::posix::stream_descriptor& input) {
  std::string buffer;
  for (;;) {
    const auto [error, size] = co_await asio::async_read_until(input, asio::dynamic_buffer(buffer), '\n',
                                                               asio::experimental::as_tuple(asio::use_awaitable));
    if (error) co_return;
    const v1::Filter filter = demo::log_tail::ParseFilter(buffer.substr(0, size - 1));
    buffer.erase(0, size);
    if (!co_await tail.Write(filter)) co_return;
  }
}

void Print(const v1::Line& line) {
  if (line.missed() > 0) std::cout << "... " << line.missed() << " lines missed\n";
  std::cout << google::protobuf::util::TimeUtil::ToString(line.time()) << ' ' << demo::log_tail::NameOf(line.level())
            << ' ' << line.text() << '\n'
            << std::flush;
}

// Until there are enough lines, or no more come. Then no filters are wanted either.
asio::awaitable<void> PrintLines(Tail& tail, asio::posix::stream_descriptor& input, std::uint64_t count) {
  for (; count > 0; --count) {
    const std::optional<v1::Line> line = co_await tail.Read();
    if (!line) break;
    Print(*line);
  }
  tail.Cancel();
  input.close();
}

asio::awaitable<absl::Status> Follow(mqttrpc::Channel& channel, const Task& task) {
  auto executor = co_await asio::this_coro::executor;
  v1::LogTailStub device(channel, task.device);
  Tail tail = device.Follow();
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  signals.async_wait([&](asio::error_code error, int) {
    if (!error) tail.Cancel();
  });

  const v1::Filter filter = demo::log_tail::ParseFilter(task.filter);
  if (co_await tail.Write(filter)) {
    // Opened anew: it is made non-blocking, and a terminal's standard output would be, too.
    asio::posix::stream_descriptor input(executor, ::open("/dev/stdin", O_RDONLY | O_CLOEXEC));
    co_await (SendFilters(tail, input) && PrintLines(tail, input, task.lines));
  }
  absl::Status ended = co_await tail.Finish();
  co_return absl::IsCancelled(ended) ? absl::OkStatus() : ended;  // By us.
}

asio::awaitable<absl::Status> Run(mqttrpc::mqtt::ClientOptions options, const Task& task) {
  mqttrpc::mqtt::Client client(co_await asio::this_coro::executor, options);
  client.Start();
  mqttrpc::Channel channel(client);
  absl::Status followed = co_await Follow(channel, task);
  absl::Status disconnected = co_await client.Disconnect();
  co_return followed.ok() ? disconnected : followed;
}

int main(int argc, char** argv) {
  mqttrpc::mqtt::ClientOptions options;
  Task task;
  CLI::App app(
      "Follows a device's log over MQTT, until SIGINT or SIGTERM. Each line of standard input is\n"
      "a filter, which replaces the one before: a level (debug, info, warning, error), a text\n"
      "that lines must have, or a level and a text. An empty one lets all lines through.\n"
      "Exit status 1 if the device is not there, or goes.");
  app.add_option("--broker", options.broker, "Where the broker listens")->capture_default_str();
  app.add_option("--device", task.device, "The device's id, or _ for any")->required();
  app.add_option("--filter", task.filter, "The first filter");
  app.add_option("--lines", task.lines, "End after so many lines");
  app.footer(
      "Examples:\n"
      "  log-tail-backend --device kitchen --filter warning\n"
      "  log-tail-backend --device kitchen --filter 'error oven' --lines 1 </dev/null");
  CLI11_PARSE(app, argc, argv);

  asio::io_context io;
  absl::Status status;
  asio::co_spawn(io, Run(options, task), [&](std::exception_ptr thrown, absl::Status result) {
    if (thrown) std::rethrow_exception(thrown);
    status = result;
  });
  io.run();
  if (!status.ok()) std::cerr << "log-tail-backend: " << status << '\n';
  return status.ok() ? 0 : 1;
}
