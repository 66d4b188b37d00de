#include <cstdlib>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "echo.mqttrpc.h"
#include "mqttrpc/rpc/server.h"
#include "systems/echo_device.h"
#include "systems/peer.h"

namespace bench {
namespace {

constexpr char kInstance[] = "echo";

mqttrpc::mqtt::ClientOptions ClientOf(const std::string& broker_url, std::string client_id) {
  mqttrpc::mqtt::ClientOptions options;
  options.broker = broker_url;
  options.client_id = std::move(client_id);
  return options;
}

class MqttrpcPeer final : public Peer {
 public:
  explicit MqttrpcPeer(const PeerOptions& options) {
    request_.set_data(std::string(options.payload_bytes, 'x'));
    for (std::size_t i = 0; i < options.callers; ++i) {
      callers_.push_back(std::make_unique<Caller>(io_, ClientOf(options.address, "bench-caller-" + std::to_string(i)),
                                                  options.frame_bytes));
    }
    thread_ = std::thread([this] { io_.run(); });
  }

  ~MqttrpcPeer() override {
    io_.stop();
    thread_.join();
  }

  void StartCall(std::size_t caller, Done done) override {
    callers_[caller]->stub.Echo(
        request_, mqttrpc::CallOptions(),
        [done = std::move(done)](absl::StatusOr<v1::Payload> reply) mutable { done(reply.ok()); });
  }

 private:
  struct Caller {
    Caller(asio::io_context& io, const mqttrpc::mqtt::ClientOptions& options, std::size_t frame_bytes)
        : client(io.get_executor(), options), channel(client, Options(frame_bytes)), stub(channel, kInstance) {
      client.Start();
    }
    static mqttrpc::ChannelOptions Options(std::size_t frame_bytes) {
      mqttrpc::ChannelOptions options;
      options.limits.message_bytes = kLargestMessageBytes;
      if (frame_bytes > 0) options.limits.frame_bytes = frame_bytes;
      return options;
    }
    mqttrpc::mqtt::Client client;
    mqttrpc::Channel channel;
    v1::EchoStub stub;
  };

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  std::vector<std::unique_ptr<Caller>> callers_;
  v1::Payload request_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Peer> NewMqttrpcPeer(const PeerOptions& options) { return std::make_unique<MqttrpcPeer>(options); }

int ServeMqttrpc(const std::string& broker_url, std::size_t frame_bytes) {
  asio::io_context io(1);
  mqttrpc::mqtt::Client client(io.get_executor(), ClientOf(broker_url, kInstance));
  client.Start();
  EchoDevice echo;
  mqttrpc::ServerOptions options = EchoServerOptions();
  if (frame_bytes > 0) options.limits.frame_bytes = frame_bytes;
  mqttrpc::Server server(client, options);
  server.Add(echo);
  server.Start([](absl::Status status) {
    if (status.ok()) {
      std::cout << "ready " << kInstance << std::endl;
    } else {
      std::cerr << "mqttrpc-bench: " << status << '\n';
      std::exit(1);
    }
  });
  io.run();
  return 0;
}

}  // namespace bench
