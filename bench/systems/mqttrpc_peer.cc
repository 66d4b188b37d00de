#include <iostream>
#include <thread>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "echo.mqttrpc.h"
#include "mqttrpc/rpc/server.h"
#include "peer.h"

namespace bench {
namespace {

constexpr char kInstance[] = "echo";

class EchoDevice final : public v1::EchoService {
  absl::StatusOr<v1::Payload> Echo(mqttrpc::ServerContext&, const v1::Payload& request) override { return request; }
};

class MqttrpcPeer final : public Peer {
 public:
  MqttrpcPeer(const std::string& broker_url, std::size_t payload_bytes)
      : client_(io_.get_executor(), Options(broker_url)), channel_(client_), stub_(channel_, kInstance) {
    request_.set_data(std::string(payload_bytes, 'x'));
    client_.Start();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~MqttrpcPeer() override {
    io_.stop();
    thread_.join();
  }

  void StartCall(Done done) override {
    stub_.Echo(request_, mqttrpc::CallOptions(),
               [done = std::move(done)](absl::StatusOr<v1::Payload> reply) mutable { done(reply.ok()); });
  }

 private:
  static mqttrpc::mqtt::ClientOptions Options(const std::string& broker_url) {
    mqttrpc::mqtt::ClientOptions options;
    options.broker = broker_url;
    options.client_id = "bench-caller";
    return options;
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  mqttrpc::mqtt::Client client_;
  mqttrpc::Channel channel_;
  v1::EchoStub stub_;
  v1::Payload request_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Peer> NewMqttrpcPeer(const std::string& broker_url, std::size_t payload_bytes) {
  return std::make_unique<MqttrpcPeer>(broker_url, payload_bytes);
}

int ServeMqttrpc(const std::string& broker_url) {
  asio::io_context io(1);
  mqttrpc::mqtt::ClientOptions options;
  options.broker = broker_url;
  options.client_id = kInstance;
  mqttrpc::mqtt::Client client(io.get_executor(), options);
  client.Start();
  EchoDevice echo;
  mqttrpc::Server server(client);
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
