// The same programs over another broker, and other programs over ours.
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "mqttrpc/mqtt/client.h"
#include "programs.h"

namespace mqttrpc::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// A thermostat device that is ready for calls.
class Device {
 public:
  explicit Device(const BrokerProcess& broker)
      : process_({ThermostatDevice(), "--broker", broker.url(), "--instance", "kitchen"}) {
    ready_ = process_.WaitForLine("serving as kitchen").has_value();
  }
  bool ready() const { return ready_; }
  ChildProcess& process() { return process_; }

 private:
  ChildProcess process_;
  bool ready_;
};

ChildProcess Backend(const BrokerProcess& broker) {
  return ChildProcess({ThermostatBackend(), "--broker", broker.url(), "--device", "kitchen"});
}

// What the backend of the example prints when all is well.
const auto kWholeTour = AllOf(HasSubstr("measured 19.5, target 23.5"), HasSubstr("OUT_OF_RANGE"),
                              HasSubstr("detail: between 5 and 30"), HasSubstr("DEADLINE_EXCEEDED"));

void ExpectThermostatWorksOver(const BrokerProcess& broker) {
  ASSERT_FALSE(broker.url().empty()) << "the broker did not start";
  Device device(broker);
  ASSERT_TRUE(device.ready());
  ChildProcess backend = Backend(broker);
  EXPECT_THAT(backend.ReadRest(), kWholeTour);
  EXPECT_EQ(backend.Wait(), 0);
  // The caller's deadline ended the handler too.
  EXPECT_TRUE(device.process().WaitForLine("calibration given up").has_value());

  device.process().Signal(SIGTERM);
  EXPECT_EQ(device.process().Wait(), 0);
  ChildProcess backend_alone = Backend(broker);
  EXPECT_THAT(backend_alone.ReadRest(), HasSubstr("UNAVAILABLE"));
  EXPECT_EQ(backend_alone.Wait(), 1);
}

TEST(ThermostatTest, RunsOverMqttrpcd) { ExpectThermostatWorksOver(Mqttrpcd()); }

TEST(ThermostatTest, RunsUnchangedOverMosquitto) { ExpectThermostatWorksOver(Mosquitto()); }

class MosquittoClientsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(broker_.url().empty()); }

  Mqttrpcd broker_;
};

// Wire protocol, principle 1: Response Topic and payload are a call, with no user property.
TEST_F(MosquittoClientsTest, RequestResponseClientCallsOurDeviceWithJson) {
  Device device(broker_);
  ASSERT_TRUE(device.ready());
  ChildProcess call(MosquittoClient("mosquitto_rr", broker_,
                                    {"-q", "1", "-t", "rpc1/q/demo.thermostat.v1.Thermostat/kitchen/SetTarget/me", "-e",
                                     "rpc1/r/me/1", "-m", R"({"celsius":22})"}));
  EXPECT_EQ(call.WaitForLine(""), R"({"measuredCelsius":19.5,"targetCelsius":22})");
  EXPECT_EQ(call.Wait(), 0);
}

TEST_F(MosquittoClientsTest, RequestResponseClientReadsErrorsAsJson) {
  Device device(broker_);
  ASSERT_TRUE(device.ready());
  ChildProcess call(MosquittoClient("mosquitto_rr", broker_,
                                    {"-q", "1", "-t", "rpc1/q/demo.thermostat.v1.Thermostat/kitchen/SetTarget/me", "-e",
                                     "rpc1/r/me/1", "-m", R"({"celsius":99})", "-D", "publish", "content-type",
                                     "application/json", "-D", "publish", "correlation-data", "call-1"}));
  EXPECT_THAT(call.WaitForLine(""), ::testing::Optional(AllOf(HasSubstr(R"("code":11)"), HasSubstr("TemperatureRange"),
                                                              HasSubstr(R"("maximumCelsius":30)"))));
  EXPECT_EQ(call.Wait(), 0);
}

TEST_F(MosquittoClientsTest, PublishAndSubscribeThroughOurBroker) {
  ChildProcess subscriber(MosquittoClient("mosquitto_sub", broker_,
                                          {"-d", "-t", "news/+/today", "-q", "1", "-C", "2", "-F", "got %t %p %q %P"}));
  ASSERT_TRUE(subscriber.WaitForLine("Subscribed").has_value());
  for (const std::string qos : {"1", "0"}) {
    ChildProcess publisher(MosquittoClient(
        "mosquitto_pub", broker_,
        {"-t", "news/local/today", "-m", "rain", "-q", qos, "-D", "publish", "user-property", "a", "1"}));
    EXPECT_EQ(publisher.Wait(), 0);
    EXPECT_EQ(subscriber.WaitForLine("got "), "news/local/today rain " + qos + " a:1");
  }
  EXPECT_EQ(subscriber.Wait(), 0);
}

TEST_F(MosquittoClientsTest, SharedSubscriptionThroughOurBroker) {
  std::vector<std::unique_ptr<ChildProcess>> members;
  for (int i = 0; i < 2; ++i) {
    members.push_back(std::make_unique<ChildProcess>(MosquittoClient(
        "mosquitto_sub", broker_, {"-d", "-t", "$share/group/jobs", "-q", "1", "-C", "1", "-F", "got %p"})));
    ASSERT_TRUE(members.back()->WaitForLine("Subscribed").has_value());
  }
  ChildProcess publisher(MosquittoClient("mosquitto_pub", broker_, {"-t", "jobs", "-q", "1", "-l"}), "one\ntwo\n");
  EXPECT_EQ(publisher.Wait(), 0);
  std::vector<std::string> got;
  for (auto& member : members) got.push_back(member->WaitForLine("got ").value_or("nothing"));
  EXPECT_THAT(got, ::testing::UnorderedElementsAre("one", "two"));
}

// Our client on a thread of its own, used with futures and blocking calls.
class ClientOverMosquittoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(broker_->url().empty());
    mqtt::ClientOptions options;
    options.broker = broker_->url();
    options.backoff_minimum = std::chrono::milliseconds(10);
    options.backoff_maximum = std::chrono::milliseconds(50);
    client_ = std::make_unique<mqtt::Client>(io_.get_executor(), options);
    client_->Start();
    ASSERT_TRUE(client_->UntilConnected(mqtt::kBlocking).ok());
  }
  void TearDown() override {
    client_.reset();
    work_.reset();
    thread_.join();
  }

  int port_ = FreePort();
  std::optional<Mosquitto> broker_{port_};
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  std::thread thread_{[this] { io_.run(); }};
  std::unique_ptr<mqtt::Client> client_;
};

TEST_F(ClientOverMosquittoTest, PublishesAndReceivesWithAllProperties) {
  for (const mqtt::QoS qos : {mqtt::QoS::kAtMostOnce, mqtt::QoS::kAtLeastOnce}) {
    std::promise<mqtt::Message> arrived;
    const std::string topic = "demo/" + std::to_string(static_cast<int>(qos));
    const auto granted = client_->Subscribe(
        mqtt::Subscription(topic, qos),
        [&](const mqtt::MessageView& message) { arrived.set_value(message.ToMessage()); }, mqtt::kBlocking);
    ASSERT_TRUE(granted.ok()) << granted.status();

    mqtt::Message message(topic, "payload", qos);
    message.properties.Set(mqtt::property::kResponseTopic, "answers/1");
    message.properties.Set(mqtt::property::kCorrelationData, std::string_view("\0\1\2", 3));
    message.properties.Set(mqtt::property::kContentType, "text/plain");
    message.properties.Add(mqtt::property::kUserProperty, {"b", "1"});
    message.properties.Add(mqtt::property::kUserProperty, {"a", "2"});
    message.properties.Add(mqtt::property::kUserProperty, {"b", "3"});
    const auto code = client_->Publish(message, mqtt::kBlocking);
    ASSERT_TRUE(code.ok()) << code.status();
    EXPECT_EQ(*code, mqtt::ReasonCode::kSuccess);

    const mqtt::Message got = arrived.get_future().get();
    EXPECT_EQ(got.topic_name, topic);
    EXPECT_EQ(got.payload, "payload");
    EXPECT_EQ(got.qos, qos);
    EXPECT_EQ(got.properties.Get(mqtt::property::kResponseTopic), "answers/1");
    EXPECT_EQ(got.properties.Get(mqtt::property::kCorrelationData), std::string_view("\0\1\2", 3));
    EXPECT_EQ(got.properties.Get(mqtt::property::kContentType), "text/plain");
    std::vector<std::pair<std::string, std::string>> user;
    got.properties.view().ForEachUserProperty(
        [&](mqtt::UserPropertyView each) { user.emplace_back(each.name, each.value); });
    EXPECT_THAT(user, ElementsAre(Pair("b", "1"), Pair("a", "2"), Pair("b", "3")));
  }
}

TEST_F(ClientOverMosquittoTest, LearnsThatNobodySubscribes) {
  EXPECT_EQ(client_->Publish(mqtt::Message("nobody/here", ""), mqtt::kBlocking).value(),
            mqtt::ReasonCode::kNoMatchingSubscribers);
}

TEST_F(ClientOverMosquittoTest, SubscribesAgainAfterTheBrokerRestarted) {
  std::promise<std::string> arrived;
  ASSERT_TRUE(client_
                  ->Subscribe(
                      mqtt::Subscription("after/restart"),
                      [&](const mqtt::MessageView& message) { arrived.set_value(std::string(message.payload)); },
                      mqtt::kBlocking)
                  .ok());
  broker_.reset();
  broker_.emplace(port_);
  ASSERT_FALSE(broker_->url().empty());
  // Waits for the connection; the subscription goes first.
  EXPECT_TRUE(client_->Publish(mqtt::Message("after/restart", "still here"), mqtt::kBlocking).ok());
  EXPECT_EQ(arrived.get_future().get(), "still here");
}

TEST_F(ClientOverMosquittoTest, DisconnectsInGoodOrder) {
  EXPECT_TRUE(client_->Unsubscribe("never/subscribed", mqtt::kBlocking).ok());
  EXPECT_TRUE(client_->Disconnect(mqtt::kBlocking).ok());
  EXPECT_EQ(client_->state().kind, mqtt::ConnectionState::Kind::kStopped);
}

}  // namespace
}  // namespace mqttrpc::testing
