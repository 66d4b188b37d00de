// Broker, clients, channel and server in one thread, under a clock that the test moves.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "echo_service.h"
#include "messages.h"
#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/rpc/status.h"
#include "mqttrpc/testing/world.h"
#include "support/log_recorder.h"
#include "support/testing_names.h"

namespace mqttrpc::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What became of one call.
using Result = std::shared_ptr<std::optional<absl::StatusOr<Reply>>>;

inline Question Ask(std::string text) {
  Question question;
  question.set_text(std::move(text));
  return question;
}

class StackTest : public testing::Test {
 protected:
  StackTest() : world_(WorldWithLog(log_)), clock_(world_.clock()) {
    device_ = &MakeClient("dev-1");
    caller_ = &MakeClient("me");
  }
  // A test may have taken them for ends of its own; they go before their clients.
  ~StackTest() override {
    channel_.reset();
    server_.reset();
  }

  static mqttrpc::testing::WorldOptions WorldWithLog(LogRecorder& log) {
    mqttrpc::testing::WorldOptions options;
    options.log = &log;
    options.broker.maximum_packet_size = 1024 * 1024;
    return options;
  }

  void Run() { world_.RunUntilQuiet(); }

  // Everything the broker knew is lost.
  void RestartBroker() {
    world_.CrashBroker();
    world_.StartBroker();
  }

  // In the place of the one of that name, if there was one.
  mqtt::Client& MakeClient(std::string client_id, std::uint16_t receive_maximum = 100) {
    mqtt::ClientOptions options;
    options.receive_maximum = receive_maximum;
    return world_.NewClient(client_id, options);
  }

  // Server for Echo at "dev-1", and a channel of "me".
  void Serve(ServerOptions options = ServerOptions()) {
    server_ = std::make_unique<Server>(*device_, options);
    server_->Add(service_);
    std::optional<absl::Status> started;
    server_->Start([&](absl::Status status) { started = std::move(status); });
    Run();
    ASSERT_TRUE(started.has_value());
    ASSERT_TRUE(started->ok()) << *started;
  }
  void Open(ChannelOptions options = ChannelOptions()) {
    channel_ = std::make_unique<Channel>(*caller_, options);
    Run();
  }
  void ServeAndOpen() {
    Serve();
    Open();
  }

  Result Call(Question question, CallOptions options = CallOptions(), std::string_view target = "dev-1",
              const MethodInfo& method = kEchoMethods[0], const ServiceInfo& service = kEcho) {
    return CallOn(*channel_, std::move(question), std::move(options), target, method, service);
  }
  static Result CallOn(Channel& channel, Question question, CallOptions options = CallOptions(),
                       std::string_view target = "dev-1", const MethodInfo& method = kEchoMethods[0],
                       const ServiceInfo& service = kEcho) {
    auto result = std::make_shared<std::optional<absl::StatusOr<Reply>>>();
    channel.Call<Reply>(service, method, target, question, std::move(options), [result](absl::StatusOr<Reply> reply) {
      EXPECT_FALSE(result->has_value()) << "completed twice";
      result->emplace(std::move(reply));
    });
    return result;
  }

  // Sees everything published below rpc1/.
  void Spy() {
    MakeClient("spy").Subscribe(
        mqtt::Subscription("rpc1/#"),
        [this](const mqtt::MessageView& message) { seen_.push_back(message.ToMessage()); },
        [](const absl::StatusOr<mqtt::ReasonCode>& code) { ASSERT_TRUE(code.ok()); });
    Run();
  }
  std::vector<mqtt::Message> Seen(std::string_view topic_prefix) const {
    std::vector<mqtt::Message> some;
    for (const mqtt::Message& each : seen_) {
      if (each.topic_name.starts_with(topic_prefix)) some.push_back(each);
    }
    return some;
  }

  // A plain MQTT client that sends and gets messages as they are.
  mqtt::Client& Plain(std::string client_id, std::string topic_filter) {
    mqtt::Client& client = MakeClient(std::move(client_id));
    client.Subscribe(
        mqtt::Subscription(std::move(topic_filter)),
        [this](const mqtt::MessageView& message) { inbox_.push_back(message.ToMessage()); },
        [](const absl::StatusOr<mqtt::ReasonCode>& code) { ASSERT_TRUE(code.ok()); });
    Run();
    return client;
  }
  void Publish(mqtt::Client& client, mqtt::Message message) {
    client.Publish(std::move(message), [](const absl::StatusOr<mqtt::ReasonCode>&) {});
    Run();
  }

  static void ExpectOk(const Result& result, const std::string& text) {
    ASSERT_TRUE(result->has_value()) << "not completed";
    ASSERT_TRUE((*result)->ok()) << (*result)->status();
    EXPECT_EQ((**result)->text(), text);
  }
  static void ExpectError(const Result& result, absl::StatusCode code, Outcome outcome, bool remote,
                          const std::string& text = "") {
    ASSERT_TRUE(result->has_value()) << "not completed";
    const absl::Status status = (*result)->status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(OutcomeOf(status), outcome) << status;
    EXPECT_EQ(IsRemote(status), remote) << status;
    EXPECT_THAT(status.message(), testing::HasSubstr(text));
  }

  // Before the world: its end ends what is pending.
  LogRecorder log_;
  std::vector<mqtt::Message> seen_, inbox_;
  mqttrpc::testing::World world_;
  mqttrpc::testing::ManualClock& clock_;
  mqtt::Client* device_ = nullptr;
  mqtt::Client* caller_ = nullptr;
  EchoService service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace mqttrpc::test
