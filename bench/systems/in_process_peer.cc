#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "mqttrpc/broker/broker.h"
#include "systems/echo_device.h"
#include "systems/peer.h"

namespace bench {
namespace {

// Everything on one io_context, joined by memory.
class InProcessPeer final : public Peer {
 public:
  explicit InProcessPeer(std::size_t payload_bytes)
      : broker_(io_.get_executor(), mqttrpc::broker::BrokerOptions()),
        device_client_(io_.get_executor(), Options("echo")),
        caller_client_(io_.get_executor(), Options("caller")),
        server_(device_client_, EchoServerOptions()),
        channel_(caller_client_),
        stub_(channel_, "echo") {
    request_.set_data(std::string(payload_bytes, 'x'));
    server_.Add(echo_);
    bool ready = false;
    server_.Start([&ready](const absl::Status& status) { ready = status.ok(); });
    device_client_.Start();
    caller_client_.Start();
    while (!ready) io_.run_one();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~InProcessPeer() override {
    io_.stop();
    thread_.join();
  }

  void StartCall(std::size_t, Done done) override {
    stub_.Echo(request_, mqttrpc::CallOptions(),
               [done = std::move(done)](absl::StatusOr<v1::Payload> reply) mutable { done(reply.ok()); });
  }

 private:
  mqttrpc::mqtt::ClientOptions Options(std::string client_id) {
    mqttrpc::mqtt::ClientOptions options;
    options.client_id = std::move(client_id);
    options.connector = &broker_.connector();
    return options;
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  mqttrpc::broker::Broker broker_;
  mqttrpc::mqtt::Client device_client_;
  mqttrpc::mqtt::Client caller_client_;
  EchoDevice echo_;
  mqttrpc::Server server_;
  mqttrpc::Channel channel_;
  v1::EchoStub stub_;
  v1::Payload request_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Peer> NewInProcessPeer(std::size_t payload_bytes) {
  return std::make_unique<InProcessPeer>(payload_bytes);
}

}  // namespace bench
