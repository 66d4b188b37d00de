// Enhanced authentication (MQTT 4.12), with a method made for the test.
#include "broker_fixture.h"
#include "mqttrpc/broker/authenticator.h"

namespace mqttrpc::test {
namespace {

using broker::Authenticator;
using mqtt::ReasonCode;
namespace property = mqtt::property;

// "count": the client says 1, the broker 2, the client 3, the broker 4.
class Counting final : public Authenticator {
  class CountingExchange final : public Exchange {
    Step OnData(std::optional<std::string_view> data) override {
      Step step;
      if (data == "1") {
        step.data = "2";
      } else if (data == "3") {
        step.data = "4";
        step.done = true;
      } else {
        step.status = absl::PermissionDeniedError("cannot count");
      }
      return step;
    }
  };

 public:
  std::unique_ptr<Exchange> Begin(std::string_view method, std::string_view) override {
    return method == "count" ? std::make_unique<CountingExchange>() : nullptr;
  }
};

class BrokerAuthTest : public BrokerTest {
 protected:
  BrokerAuthTest() { options_.authenticator = &counting_; }

  static mqtt::Properties Saying(std::string_view data, std::string_view method = "count") {
    mqtt::Properties properties;
    properties.Set(property::kAuthenticationMethod, method);
    properties.Set(property::kAuthenticationData, data);
    return properties;
  }
  std::unique_ptr<RawClient> Begin(std::string_view data, std::string_view method = "count") {
    const mqtt::Properties properties = Saying(data, method);
    mqtt::Connect connect = ConnectAs("me");
    connect.properties = properties;
    auto client = NewClient();
    Send(*client, connect);
    return client;
  }
  void SendAuth(RawClient& client, std::string_view data, ReasonCode code = ReasonCode::kContinueAuthentication,
                std::string_view method = "count") {
    const mqtt::Properties properties = Saying(data, method);
    mqtt::Auth auth;
    auth.reason_code = code;
    auth.properties = properties;
    Send(client, auth);
  }
  static void ExpectAuth(RawClient& client, ReasonCode code, std::string_view data) {
    const auto auth = client.Next<mqtt::Auth>();
    EXPECT_EQ(auth.reason_code, code);
    EXPECT_EQ(auth.properties.Get(property::kAuthenticationMethod), "count");  // MQTT-4.12.0-5
    EXPECT_EQ(auth.properties.Get(property::kAuthenticationData), data);
  }
  std::unique_ptr<RawClient> Authenticated() {
    auto client = Begin("1");
    ExpectAuth(*client, ReasonCode::kContinueAuthentication, "2");
    SendAuth(*client, "3");
    const auto ack = client->Next<mqtt::ConnAck>();
    EXPECT_EQ(ack.reason_code, ReasonCode::kSuccess);
    EXPECT_EQ(ack.properties.Get(property::kAuthenticationMethod), "count");
    EXPECT_EQ(ack.properties.Get(property::kAuthenticationData), "4");
    return client;
  }
  static void ExpectRefused(RawClient& client, ReasonCode code) {
    EXPECT_EQ(client.Next<mqtt::ConnAck>().reason_code, code);
    EXPECT_TRUE(client.closed());
  }

  Counting counting_;
};

TEST_F(BrokerAuthTest, AcceptsAtTheEndOfTheExchange) {  // MQTT-4.12.0-2, MQTT-4.12.0-3
  auto client = Authenticated();
  Send(*client, mqtt::PingReq());
  client->Next<mqtt::PingResp>();
}

TEST_F(BrokerAuthTest, RefusesAMethodItDoesNotKnow) {  // MQTT-4.12.0-1
  auto client = Begin("1", "dance");
  ExpectRefused(*client, ReasonCode::kBadAuthenticationMethod);
}

TEST_F(BrokerAuthTest, RefusesWhoeverFails) {  // MQTT-4.12.0-4
  auto client = Begin("7");
  ExpectRefused(*client, ReasonCode::kNotAuthorized);
  client = Begin("1");
  ExpectAuth(*client, ReasonCode::kContinueAuthentication, "2");
  SendAuth(*client, "7");
  ExpectRefused(*client, ReasonCode::kNotAuthorized);
  EXPECT_EQ(broker().statistics().sessions, 0u);
}

TEST_F(BrokerAuthTest, RefusesAnotherMethodInMidExchange) {  // MQTT-4.12.0-5
  auto client = Begin("1");
  client->Next<mqtt::Auth>();
  SendAuth(*client, "3", ReasonCode::kContinueAuthentication, "dance");
  ExpectRefused(*client, ReasonCode::kProtocolError);
}

TEST_F(BrokerAuthTest, TakesNothingElseDuringTheExchange) {  // MQTT-3.1.4-6
  auto client = Begin("1");
  client->Next<mqtt::Auth>();
  Send(*client, PublishOf("t", "x"));
  ExpectRefused(*client, ReasonCode::kProtocolError);
}

TEST_F(BrokerAuthTest, WaitsForTheExchangeNoLongerThanForAConnect) {
  auto client = Begin("1");
  client->Next<mqtt::Auth>();
  clock_.Advance(options_.connect_timeout);
  EXPECT_TRUE(client->closed());
}

TEST_F(BrokerAuthTest, AuthenticatesAgainWhileItServes) {  // MQTT-4.12.1-1
  auto client = Authenticated();
  SendAuth(*client, "1", ReasonCode::kReAuthenticate);
  ExpectAuth(*client, ReasonCode::kContinueAuthentication, "2");
  Send(*client, mqtt::PingReq());
  client->Next<mqtt::PingResp>();
  SendAuth(*client, "3");
  ExpectAuth(*client, ReasonCode::kSuccess, "4");
}

TEST_F(BrokerAuthTest, DisconnectsWhoeverFailsLater) {  // MQTT-4.12.1-2
  auto client = Authenticated();
  SendAuth(*client, "7", ReasonCode::kReAuthenticate);
  ExpectDisconnected(*client, ReasonCode::kNotAuthorized);
}

TEST_F(BrokerAuthTest, RefusesAStepWithoutAnExchange) {
  auto client = Authenticated();
  SendAuth(*client, "3");
  ExpectDisconnected(*client, ReasonCode::kProtocolError);
}

TEST_F(BrokerAuthTest, IgnoresWhoNamesNoMethod) { Connected("plain"); }

}  // namespace
}  // namespace mqttrpc::test
