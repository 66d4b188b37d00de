// Caller, broker and device of the echo service on one io_context, joined by memory.
#pragma once

#include <string>
#include <utility>

#include <asio/io_context.hpp>

#include "mqttrpc/broker/broker.h"
#include "systems/echo_device.h"

namespace bench {

// Ready when it is made. Whoever runs the io_context is its thread.
class InProcessStack {
 public:
  explicit InProcessStack(std::size_t payload_bytes,
                          mqttrpc::ChannelOptions channel_options = mqttrpc::ChannelOptions(),
                          mqttrpc::ServerOptions server_options = EchoServerOptions())
      : broker_(io_.get_executor(), mqttrpc::broker::BrokerOptions()),
        device_client_(io_.get_executor(), Options("echo")),
        caller_client_(io_.get_executor(), Options("caller")),
        server_(device_client_, std::move(server_options)),
        channel_(caller_client_, std::move(channel_options)),
        stub_(channel_, "echo") {
    request_.set_data(std::string(payload_bytes, 'x'));
    server_.Add(echo_);
    bool ready = false;
    server_.Start([&ready](const absl::Status& status) { ready = status.ok(); });
    device_client_.Start();
    caller_client_.Start();
    while (!ready) io_.run_one();
  }
  InProcessStack(const InProcessStack&) = delete;
  InProcessStack& operator=(const InProcessStack&) = delete;

  asio::io_context& io() { return io_; }

  // Calls `done(bool)` on the io_context's thread: whether there was an answer.
  template <typename Done>
  void Call(Done done) {
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
  mqttrpc::broker::Broker broker_;
  mqttrpc::mqtt::Client device_client_;
  mqttrpc::mqtt::Client caller_client_;
  EchoDevice echo_;
  mqttrpc::Server server_;
  mqttrpc::Channel channel_;
  v1::EchoStub stub_;
  v1::Payload request_;
};

}  // namespace bench
