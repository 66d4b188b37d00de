#include <cstdlib>
#include <iostream>
#include <optional>

#include <asio/io_context.hpp>

#include "mqttrpc/rpc/server.h"
#include "streams.mqttrpc.h"
#include "systems/numbered.h"
#include "systems/stream_counts.h"
#include "systems/stream_programs.h"

namespace bench {
namespace {

class StreamsDevice final : public v1::StreamsService {
 public:
  explicit StreamsDevice(StreamCounts& counts) : counts_(counts) {}

 private:
  asio::awaitable<absl::Status> CoDownload(mqttrpc::ServerContext&, const v1::Wanted& wanted,
                                           mqttrpc::ServerWriter<v1::Payload>& writer) override {
    Numbered payloads(wanted.bytes());
    while (co_await writer.Write(payloads.Next())) CountOne(counts_.written);
    co_return absl::CancelledError("nobody reads");
  }

  asio::awaitable<absl::StatusOr<v1::Received>> CoUpload(mqttrpc::ServerContext&,
                                                         mqttrpc::ServerReader<v1::Payload>& reader) override {
    NumberCheck check;
    while (const std::optional<v1::Payload> payload = co_await reader.Read()) {
      if (!check.IsNext(*payload)) CountOne(counts_.disorder);
      CountOne(counts_.read);
    }
    v1::Received received;
    received.set_messages(check.count());
    co_return received;
  }

  StreamCounts& counts_;
};

}  // namespace

int ServeMqttrpcStreams(const std::string& broker_url, const std::string& counts_file, std::size_t frames) {
  const SharedStreamCounts counts(counts_file);
  asio::io_context io(1);
  mqttrpc::mqtt::ClientOptions options;
  options.broker = broker_url;
  options.client_id = "streams";
  mqttrpc::mqtt::Client client(io.get_executor(), options);
  client.Start();
  StreamsDevice device(*counts);
  mqttrpc::ServerOptions server_options;
  if (frames > 0) server_options.limits.frames = frames;
  mqttrpc::Server server(client, server_options);
  server.Add(device);
  server.Start([](absl::Status status) {
    if (status.ok()) {
      std::cout << "ready streams" << std::endl;
    } else {
      std::cerr << "mqttrpc-bench: " << status << '\n';
      std::exit(1);
    }
  });
  io.run();
  return 0;
}

}  // namespace bench
