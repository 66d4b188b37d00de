#include <iostream>
#include <optional>
#include <vector>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "mqttrpc/rpc/channel.h"
#include "streams.mqttrpc.h"
#include "systems/numbered.h"
#include "systems/stream_counts.h"
#include "systems/stream_programs.h"

namespace bench {
namespace {

// Streams that are read no more, but stay.
using Held = std::vector<mqttrpc::ClientReader<v1::Payload>>;

asio::awaitable<void> Download(v1::StreamsStub stub, StreamCounts& counts, StreamCallerOptions options, Held& held) {
  v1::Wanted wanted;
  wanted.set_bytes(static_cast<std::uint32_t>(options.payload_bytes));
  auto payloads = stub.Download(wanted);
  NumberCheck check;
  while (const std::optional<v1::Payload> payload = co_await payloads.Read()) {
    if (!check.IsNext(*payload)) CountOne(counts.disorder);
    CountOne(counts.read);
    if (check.count() == options.read_only) {
      held.push_back(std::move(payloads));
      co_return;
    }
    if (counts.stop.load(std::memory_order_relaxed)) break;
  }
  payloads.Cancel();
  const absl::Status status = co_await payloads.Finish();
  if (!absl::IsCancelled(status)) {
    std::cerr << "mqttrpc-bench: download: " << status << '\n';
    CountOne(counts.failed);
  }
  CountOne(counts.ended);
}

asio::awaitable<void> Upload(v1::StreamsStub stub, StreamCounts& counts, StreamCallerOptions options) {
  auto upload = stub.Upload();
  Numbered payloads(options.payload_bytes);
  while (!counts.stop.load(std::memory_order_relaxed)) {
    if (!co_await upload.Write(payloads.Next())) break;
    CountOne(counts.written);
  }
  const absl::StatusOr<v1::Received> received = co_await upload.Finish();
  if (!received.ok() || received->messages() != payloads.count()) {
    std::cerr << "mqttrpc-bench: upload: " << received.status() << '\n';
    CountOne(counts.failed);
  }
  CountOne(counts.ended);
}

}  // namespace

int CallMqttrpcStreams(const StreamCallerOptions& options) {
  const SharedStreamCounts counts(options.counts_file);
  asio::io_context io(1);
  const auto work = asio::make_work_guard(io);
  mqttrpc::mqtt::ClientOptions client_options;
  client_options.broker = options.address;
  client_options.client_id = "streams-caller";
  mqttrpc::mqtt::Client client(io.get_executor(), client_options);
  client.Start();
  mqttrpc::ChannelOptions channel_options;
  if (options.frames > 0) channel_options.limits.frames = options.frames;
  mqttrpc::Channel channel(client, channel_options);
  const v1::StreamsStub stub(channel, "streams");
  Held held;
  for (std::size_t i = 0; i < options.streams; ++i) {
    if (options.upload) {
      asio::co_spawn(io, Upload(stub, *counts, options), asio::detached);
    } else {
      asio::co_spawn(io, Download(stub, *counts, options, held), asio::detached);
    }
  }
  std::cout << "ready " << std::endl;
  io.run();
  return 0;
}

}  // namespace bench
