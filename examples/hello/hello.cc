// A broker, a device and a caller in one process.
#include <iostream>

#include <asio/thread_pool.hpp>

#include "hello.mqttrpc.h"
#include "mqttrpc/broker/broker.h"
#include "mqttrpc/rpc/server.h"

class Greeter final : public hello::v1::GreeterService {
  absl::StatusOr<hello::v1::HelloReply> Hello(mqttrpc::ServerContext&,
                                              const hello::v1::HelloRequest& request) override {
    if (request.name().empty()) return absl::InvalidArgumentError("name is empty");
    hello::v1::HelloReply reply;
    reply.set_text("Hello, " + request.name() + "!");
    return reply;
  }
};

int main() {
  mqttrpc::broker::Broker broker;
  mqttrpc::mqtt::ClientOptions options;
  options.broker = broker.Listen("mqtt://127.0.0.1:0").value();

  asio::thread_pool io(1);  // Does all the work of client, server and channel.
  mqttrpc::mqtt::Client client(io.get_executor(), options);
  client.Start();

  Greeter greeter;
  mqttrpc::Server server(client);
  server.Add(greeter);
  absl::Status serving = server.Start(mqttrpc::kBlocking);

  mqttrpc::Channel channel(client);
  hello::v1::GreeterStub stub(channel, server.instance());
  hello::v1::HelloRequest request;
  request.set_name("Ada");
  absl::StatusOr<hello::v1::HelloReply> reply = stub.Hello(request, mqttrpc::CallOptions(), mqttrpc::kBlocking);
  std::cout << (reply.ok() ? reply->text() : reply.status().ToString()) << '\n';
  return serving.ok() && reply.ok() ? 0 : 1;
}
