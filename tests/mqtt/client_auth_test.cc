// Enhanced authentication.
#include <string>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RecordingAuthenticator final : public Authenticator {
 public:
  std::string_view method() const override { return "ECHO"; }
  absl::StatusOr<Data> Start() override {
    log.emplace_back("start");
    return Data("hello");
  }
  absl::StatusOr<Data> Continue(DataView data) override {
    log.push_back("continue " + std::string(data.value_or("-")));
    if (data == "bad") return absl::UnauthenticatedError("bad challenge");
    return Data("re:" + std::string(data.value_or("")));
  }
  absl::Status Finish(DataView data) override {
    log.push_back("finish " + std::string(data.value_or("-")));
    return data == "bad" ? absl::UnauthenticatedError("bad proof") : absl::OkStatus();
  }
  std::vector<std::string> log;
};

class ClientAuthTest : public ClientTest {
 protected:
  ClientAuthTest() { options_.authenticator = &authenticator_; }

  static Properties Data(const std::optional<std::string>& data, std::string_view method = "ECHO") {
    Properties properties;
    properties.Set(property::kAuthenticationMethod, method);
    if (data.has_value()) properties.Set(property::kAuthenticationData, *data);
    return properties;
  }
  void SendAuth(ReasonCode code, const Properties& properties) {
    Auth auth;
    auth.reason_code = code;
    auth.properties = properties;
    Tell(auth);
  }
  void ExpectAuth(ReasonCode code, std::string_view data) {
    const Auth& auth = peer_->Expect<Auth>();
    EXPECT_EQ(auth.reason_code, code);
    EXPECT_EQ(auth.properties.Get(property::kAuthenticationMethod), "ECHO");
    EXPECT_EQ(auth.properties.Get(property::kAuthenticationData), data);
  }
  const Connect& Begin() {
    MakeClient();
    client_->Start();
    return AcceptConnect();
  }
  void StartAuthenticated() {
    Begin();
    SendConnAck(false, Data(std::nullopt));
    authenticator_.log.clear();
  }
  void Reauthenticate() {
    client_->Reauthenticate(Into(result_));
    Run();
  }
  RecordingAuthenticator authenticator_;
  std::optional<absl::Status> result_;
};

// MQTT-4.12.0-3, MQTT-4.12.0-5, MQTT-3.1.2-30, MQTT-3.15.1-1, MQTT-3.15.2-1
TEST_F(ClientAuthTest, AnswersEveryChallengeBeforeConnAckAndSendsNothingElse) {
  const Connect& connect = Begin();
  client_->Publish(Message("t", "x"), [](const CodeOr&) {});
  EXPECT_EQ(connect.properties.Get(property::kAuthenticationMethod), "ECHO");
  EXPECT_EQ(connect.properties.Get(property::kAuthenticationData), "hello");
  SendAuth(ReasonCode::kContinueAuthentication, Data("1"));
  ExpectAuth(ReasonCode::kContinueAuthentication, "re:1");
  SendAuth(ReasonCode::kContinueAuthentication, Data("2"));
  ExpectAuth(ReasonCode::kContinueAuthentication, "re:2");
  EXPECT_EQ(peer_->Names(), "");
  SendConnAck(false, Data("proof"));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
  EXPECT_THAT(authenticator_.log, ElementsAre("start", "continue 1", "continue 2", "finish proof"));
  EXPECT_EQ(peer_->Names(), "PUBLISH");
}

TEST_F(ClientAuthTest, StartsAnewOnEachConnection) {
  StartAuthenticated();
  peer_->Drop();
  Run();
  WaitForNextTry();
  EXPECT_EQ(AcceptConnect().properties.Get(property::kAuthenticationData), "hello");
}

TEST_F(ClientAuthTest, AChallengeOrProofThatIsRefusedEndsTheConnection) {
  Begin();
  SendAuth(ReasonCode::kContinueAuthentication, Data("bad"));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  EXPECT_THAT(states_.back().why, StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("bad challenge")));
  WaitForNextTry();
  AcceptConnect();
  SendConnAck(false, Data("bad"));
  EXPECT_THAT(states_.back().why, StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("bad proof")));
}

// MQTT-4.12.0-5
TEST_F(ClientAuthTest, AnotherMethodInAuthIsAnError) {
  Begin();
  SendAuth(ReasonCode::kContinueAuthentication, Data("1", "OTHER"));
  EXPECT_THAT(states_.back().why, HasReasonCode(ReasonCode::kProtocolError));
}

// MQTT-4.12.0-5
TEST_F(ClientAuthTest, ConnAckWithoutTheMethodIsAnError) {
  Begin();
  SendConnAck();
  EXPECT_THAT(states_.back().why, HasReasonCode(ReasonCode::kProtocolError));
}

// MQTT-4.12.1-1, MQTT-4.12.0-3
TEST_F(ClientAuthTest, AuthenticatesAgainWhileTrafficGoesOn) {
  StartAuthenticated();
  Reauthenticate();
  ExpectAuth(ReasonCode::kReAuthenticate, "hello");
  client_->Publish(Message("t", "x", QoS::kAtMostOnce), [](const CodeOr&) {});
  Run();
  EXPECT_EQ(peer_->Names(), "PUBLISH");
  peer_->Expect<Publish>();
  SendAuth(ReasonCode::kContinueAuthentication, Data("1"));
  ExpectAuth(ReasonCode::kContinueAuthentication, "re:1");
  EXPECT_FALSE(result_.has_value());
  SendAuth(ReasonCode::kSuccess, Data("ok"));
  EXPECT_THAT(*result_, IsOk());
  EXPECT_THAT(authenticator_.log, ElementsAre("start", "continue 1", "finish ok"));
}

// MQTT-4.12.1-2
TEST_F(ClientAuthTest, AFailedReauthenticationClosesTheConnection) {
  StartAuthenticated();
  Reauthenticate();
  peer_->Expect<Auth>();
  SendAuth(ReasonCode::kContinueAuthentication, Data("bad"));
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_EQ(peer_->Names(), "DISCONNECT");
  EXPECT_TRUE(peer_->closed().has_value());
}

TEST_F(ClientAuthTest, AReauthenticationIsLostWithItsConnection) {
  StartAuthenticated();
  Reauthenticate();
  peer_->Drop();
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ClientAuthTest, AnUnansweredReauthenticationTimesOut) {
  StartAuthenticated();
  clock_.Advance(std::chrono::seconds(20));
  Reauthenticate();
  clock_.Advance(options_.acknowledgement_timeout - std::chrono::milliseconds(1));
  EXPECT_FALSE(result_.has_value());
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kUnavailable));
}

// MQTT-3.2.2-15, MQTT-3.15.2-2, MQTT-3.15.2-3
TEST_F(ClientAuthTest, AnAuthOverTheBrokersMaximumIsNotSent) {
  Begin();
  Properties properties = Data(std::nullopt);
  properties.Set(property::kMaximumPacketSize, 15u);
  SendConnAck(false, properties);
  Reauthenticate();
  EXPECT_THAT(*result_, HasReasonCode(ReasonCode::kPacketTooLarge));
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientAuthTest, OneAtATime) {
  StartAuthenticated();
  Reauthenticate();
  std::optional<absl::Status> second;
  client_->Reauthenticate(Into(second));
  Run();
  EXPECT_THAT(*second, StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ClientAuthTest, AuthNobodyAskedForIsAnError) {
  StartAuthenticated();
  SendAuth(ReasonCode::kContinueAuthentication, Data("1"));
  EXPECT_EQ(peer_->Expect<Disconnect>().reason_code, ReasonCode::kProtocolError);
}

// MQTT-4.12.0-7
TEST_F(ClientAuthTest, WithoutAnAuthenticatorNoAuthIsEverSent) {
  options_.authenticator = nullptr;
  options_.connect_properties.Set(property::kAuthenticationMethod, "ECHO");
  MakeClient();
  client_->Start();
  EXPECT_FALSE(AcceptConnect().properties.Has(PropertyId::kAuthenticationMethod));
  SendConnAck();
  Reauthenticate();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(peer_->Names(), "");
}

}  // namespace
}  // namespace mqttrpc::mqtt
