// Broker, device and caller in one process; exit status 0 if the calls went well.
#include <iostream>
#include <string>
#include <thread>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "acme/lamp.mqttrpc.h"
#include "mqttrpc/broker/broker.h"
#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"

namespace {

using acme::light::v1::Light;

class Lamp final : public acme::lamp::v1::LampService {
  absl::StatusOr<Light> SetLight(mqttrpc::ServerContext&, const Light& request) override {
    if (!request.has_level()) return absl::InvalidArgumentError("level is not set");
    return request;
  }
};

// Runs an io_context on a thread of its own.
class Runner {
 public:
  ~Runner() {
    io_.stop();
    thread_.join();
  }
  asio::any_io_executor executor() { return io_.get_executor(); }

 private:
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::thread thread_{[this] { io_.run(); }};
};

bool Expect(bool good, const std::string& what, const absl::Status& status) {
  if (!good) std::cerr << what << " failed: " << status << '\n';
  return good;
}

}  // namespace

int main() {
  mqttrpc::broker::Broker broker;
  const absl::StatusOr<std::string> url = broker.Listen("mqtt://127.0.0.1:0");
  if (!Expect(url.ok(), "Listen", url.status())) return 1;

  Lamp lamp;
  mqttrpc::mqtt::ClientOptions options;
  options.broker = *url;
  Runner runner;
  mqttrpc::mqtt::Client device(runner.executor(), options);
  mqttrpc::mqtt::Client caller(runner.executor(), options);
  device.Start();
  caller.Start();

  mqttrpc::ServerOptions server_options;
  server_options.instance = "lamp-1";
  mqttrpc::Server server(device, server_options);
  server.Add(lamp);
  const absl::Status started = server.Start(mqttrpc::kBlocking);
  if (!Expect(started.ok(), "Start", started)) return 1;

  mqttrpc::Channel channel(caller);
  const acme::lamp::v1::LampStub stub(channel, "lamp-1");
  Light request;
  const auto refused = stub.SetLight(request, mqttrpc::CallOptions(), mqttrpc::kBlocking);
  request.set_level(40);
  const auto set = stub.SetLight(request, mqttrpc::CallOptions(), mqttrpc::kBlocking);
  const auto broken = stub.Break(google::protobuf::Empty(), mqttrpc::CallOptions(), mqttrpc::kBlocking);
  const bool good = Expect(absl::IsInvalidArgument(refused.status()), "refusal", refused.status()) &&
                    Expect(set.ok() && set->level() == 40, "SetLight", set.status()) &&
                    Expect(absl::IsUnimplemented(broken.status()), "Break", broken.status());
  if (good) std::cout << "the lamp shines at " << set->level() << "%\n";
  return good ? 0 : 1;
}
