#include <string>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ClientConnectTest : public ClientTest {
 protected:
  void RefuseWith(ReasonCode code) {
    ConnAck connack;
    connack.reason_code = code;
    peer_->Send(connack);
    Run();
  }
};

TEST_F(ClientConnectTest, SendsEveryOptionInConnect) {
  options_.client_id = "lamp-42";
  options_.user_name = "ada";
  options_.password = std::string("\0\xFF", 2);
  options_.clean_start = false;
  options_.session_expiry = seconds(3600);
  options_.keep_alive = seconds(90);
  options_.receive_maximum = 7;
  options_.maximum_packet_size = 9999;
  options_.request_response_information = true;
  options_.connect_properties.Add(property::kUserProperty, {"site", "4"});
  options_.connect_properties.Set(property::kTopicAliasMaximum, 9);
  MakeClient();
  client_->Start();
  const Connect& connect = AcceptConnect();
  EXPECT_EQ(connect.client_id, "lamp-42");
  EXPECT_EQ(connect.user_name, "ada");
  EXPECT_EQ(connect.password, std::string_view("\0\xFF", 2));
  EXPECT_FALSE(connect.clean_start);
  EXPECT_EQ(connect.keep_alive, 90);
  EXPECT_FALSE(connect.will.has_value());
  EXPECT_EQ(connect.properties.Get(property::kSessionExpiryInterval), 3600u);
  EXPECT_EQ(connect.properties.Get(property::kReceiveMaximum), 7);
  EXPECT_EQ(connect.properties.Get(property::kMaximumPacketSize), 9999u);
  EXPECT_EQ(connect.properties.Get(property::kRequestResponseInformation), 1);
  EXPECT_EQ(connect.properties.UserProperty("site"), "4");
  EXPECT_EQ(connect.properties.Get(property::kTopicAliasMaximum), options_.topic_alias_maximum);
}

TEST_F(ClientConnectTest, TellsEachStateInOrderAndWhatConnAckSaid) {
  MakeClient();
  Run();
  EXPECT_EQ(StateNames(), "stopped");
  client_->Start();
  AcceptConnect();
  EXPECT_EQ(StateNames(), "stopped connecting");
  Properties properties;
  properties.Set(property::kResponseInformation, "rpc1/r/c");
  SendConnAck(false, properties);
  ASSERT_EQ(StateNames(), "stopped connecting connected");
  EXPECT_EQ(states_[2].connack_properties.Get(property::kResponseInformation), "rpc1/r/c");
  EXPECT_EQ(states_[2].client_id, "c");
  EXPECT_EQ(client_->state().kind, ConnectionState::Kind::kConnected);
}

TEST_F(ClientConnectTest, ALateWatcherIsToldTheStateFirst) {
  StartConnected();
  std::vector<ConnectionState::Kind> kinds;
  const auto late = client_->WatchState([&](const ConnectionState& state) { kinds.push_back(state.kind); });
  EXPECT_TRUE(kinds.empty()) << "called from inside WatchState";
  Run();
  peer_->Drop();
  Run();
  EXPECT_THAT(kinds, ElementsAre(ConnectionState::Kind::kConnected, ConnectionState::Kind::kWaiting));
}

TEST_F(ClientConnectTest, AWatcherMayEndItselfInItsCall) {
  MakeClient();
  int calls = 0;
  std::unique_ptr<StateWatch> watch = client_->WatchState([&](const ConnectionState&) {
    ++calls;
    watch.reset();
  });
  Run();
  client_->Start();
  Run();
  EXPECT_EQ(calls, 1);
}

TEST_F(ClientConnectTest, KeepsTheClientIdThatTheBrokerAssigned) {
  options_.client_id = "";
  MakeClient();
  client_->Start();
  EXPECT_EQ(AcceptConnect().client_id, "");
  Properties properties;
  properties.Set(property::kAssignedClientIdentifier, "auto-1");
  SendConnAck(false, properties);
  EXPECT_EQ(client_->state().client_id, "auto-1");
  peer_->Drop();
  Run();
  WaitForNextTry();
  EXPECT_EQ(AcceptConnect().client_id, "auto-1");
}

// MQTT-3.1.2-4
TEST_F(ClientConnectTest, StartsCleanOnceThenResumes) {
  StartConnected();
  peer_->Drop();
  Run();
  WaitForNextTry();
  EXPECT_FALSE(AcceptConnect().clean_start);
}

// MQTT-3.2.2-4
TEST_F(ClientConnectTest, ASessionAfterCleanStartIsAnError) {
  MakeClient();
  client_->Start();
  AcceptConnect();
  SendConnAck(true);
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  EXPECT_THAT(states_.back().why, HasReasonCode(ReasonCode::kProtocolError));
  EXPECT_TRUE(peer_->closed().has_value());
}

TEST_F(ClientConnectTest, UntilConnectedWaitsAndThenAnswersAtOnce) {
  MakeClient();
  client_->Start();
  std::optional<absl::Status> before, after;
  client_->UntilConnected(Into(before));
  AcceptConnect();
  EXPECT_FALSE(before.has_value());
  SendConnAck();
  client_->UntilConnected(Into(after));
  Run();
  EXPECT_THAT(*before, IsOk());
  EXPECT_THAT(*after, IsOk());
}

// MQTT-4.13.2-1
TEST_F(ClientConnectTest, GivesUpOnARefusalThatAnotherTryCannotMend) {
  for (const ReasonCode code :
       {ReasonCode::kMalformedPacket, ReasonCode::kUnsupportedProtocolVersion, ReasonCode::kClientIdentifierNotValid,
        ReasonCode::kBadUserNameOrPassword, ReasonCode::kNotAuthorized, ReasonCode::kBanned}) {
    states_.clear();
    MakeClient();
    std::optional<absl::Status> connected;
    std::optional<CodeOr> queued, later;
    client_->UntilConnected(Into(connected));
    client_->Publish(Message("t", "x"), Into(queued));
    client_->Start();
    AcceptConnect();
    RefuseWith(code);
    EXPECT_EQ(StateNames(), "stopped connecting stopped");
    EXPECT_THAT(states_.back().why, HasReasonCode(code));
    EXPECT_THAT(*connected, HasReasonCode(code));
    EXPECT_THAT(*queued, HasReasonCode(code));
    client_->Publish(Message("t", "x"), Into(later));
    clock_.Advance(std::chrono::hours(1));
    EXPECT_THAT(*later, HasReasonCode(code));
    EXPECT_EQ(connector_.Accept(), nullptr) << "dialled again";
    client_->Start();
    AcceptConnect();
    watch_.reset();
    client_.reset();
    Run();
  }
}

TEST_F(ClientConnectTest, TriesAgainAfterARefusalThatMayPass) {
  for (const ReasonCode code : {ReasonCode::kServerUnavailable, ReasonCode::kServerBusy, ReasonCode::kQuotaExceeded,
                                ReasonCode::kConnectionRateExceeded, ReasonCode::kUnspecifiedError}) {
    MakeClient();
    client_->Start();
    AcceptConnect();
    RefuseWith(code);
    EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
    EXPECT_THAT(states_.back().why, HasReasonCode(code));
    WaitForNextTry();
    AcceptConnect();
    watch_.reset();
    client_.reset();
    Run();
  }
}

TEST_F(ClientConnectTest, BadOptionsStopItWithAReason) {
  const auto why = [&](auto change) {
    ClientOptions options = options_;
    change(options);
    Client client(io_.get_executor(), options);
    client.Start();
    std::optional<absl::Status> connected;
    client.UntilConnected(Into(connected));
    Run();
    return connected.value_or(absl::OkStatus());
  };
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(why([](ClientOptions& o) { o.broker = "nonsense"; }), invalid);
  EXPECT_THAT(why([](ClientOptions& o) { o.keep_alive = seconds(65'536); }), invalid);
  EXPECT_THAT(why([](ClientOptions& o) { o.keep_alive = seconds(-1); }), invalid);
  EXPECT_THAT(why([](ClientOptions& o) { o.receive_maximum = 0; }), invalid);
  EXPECT_THAT(why([](ClientOptions& o) { o.maximum_packet_size = 0; }), invalid);
  EXPECT_THAT(why([](ClientOptions& o) { o.client_id = "\xFF"; }), invalid);
  EXPECT_THAT(why([](ClientOptions& o) { o.client_id = std::string(70'000, 'x'); }), invalid);
  EXPECT_EQ(connector_.dialled(), 0);
}

TEST_F(ClientConnectTest, GivesAnUnansweredDialAndConnectTheirTime) {
  connector_.set_answer(ScriptedConnector::Answer::kSilence);
  MakeClient();
  client_->Start();
  Run();
  clock_.Advance(options_.connect_timeout - milliseconds(1));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnecting);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  EXPECT_THAT(states_.back().why, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("10000 ms")));
  connector_.set_answer(ScriptedConnector::Answer::kAccept);
  WaitForNextTry();
  AcceptConnect();  // Never answered.
  clock_.Advance(options_.connect_timeout);
  EXPECT_TRUE(peer_->closed().has_value());
}

// Waits are uniform in [0, min(maximum, minimum * 2^n)], at least minimum / 4.
TEST_F(ClientConnectTest, BacksOffAsTheSeedSays) {
  connector_.set_answer(ScriptedConnector::Answer::kRefuse);
  MakeClient();
  client_->Start();
  Run();
  test::SeededRandom same(1);
  milliseconds most = options_.backoff_minimum;
  for (int n = 0; n < 12; ++n) {
    const auto drawn = std::chrono::microseconds(same.Below(std::chrono::microseconds(most).count() + 1));
    const Duration wait = std::max<Duration>(drawn, options_.backoff_minimum / 4);
    ASSERT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
    EXPECT_EQ(states_.back().next_try - clock_.Now(), wait) << "attempt " << n;
    EXPECT_EQ(connector_.dialled(), n + 1);
    clock_.Advance(wait);
    most = std::min(2 * most, options_.backoff_maximum);
  }
  EXPECT_EQ(most, options_.backoff_maximum);
}

TEST_F(ClientConnectTest, BackOffStartsAgainAfterAConnectionThatLasted) {
  connector_.set_answer(ScriptedConnector::Answer::kRefuse);
  MakeClient();
  client_->Start();
  Run();
  clock_.Advance(std::chrono::minutes(10));
  connector_.set_answer(ScriptedConnector::Answer::kAccept);
  WaitForNextTry();
  AcceptConnect();
  SendConnAck();
  clock_.Advance(options_.backoff_reset);
  peer_->Drop();
  Run();
  EXPECT_LE(states_.back().next_try - clock_.Now(), options_.backoff_minimum);
}

TEST_F(ClientConnectTest, BackOffGrowsOnOverConnectionsThatBreakAtOnce) {
  StartConnected();
  Duration longest{};
  for (int n = 0; n < 20; ++n) {
    Reconnect(false);
    peer_->Drop();
    Run();
    longest = std::max(longest, states_.back().next_try - clock_.Now());
    WaitForNextTry();
    AcceptConnect();
    SendConnAck();
  }
  EXPECT_LE(longest, options_.backoff_maximum);
  EXPECT_GT(longest, options_.backoff_maximum / 2);
}

TEST_F(ClientConnectTest, LogsOncePerConnectionAndWhyItWasLostButNeverCredentials) {
  options_.user_name = "ada-the-user";
  options_.password = "secret-word";
  StartConnected();
  Disconnect disconnect;
  Properties properties;
  properties.Set(property::kReasonString, "down\nfor \"repair\"");
  disconnect.reason_code = ReasonCode::kServerShuttingDown;
  disconnect.properties = properties;
  peer_->Send(disconnect);
  Run();
  const std::vector<std::string> lines = log_.lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr("info event=connected"));
  EXPECT_THAT(lines[1], HasSubstr("warning event=connection_lost"));
  EXPECT_THAT(lines[1], HasSubstr("Server shutting down"));
  EXPECT_THAT(lines[1], HasSubstr("down\\nfor \\\"repair\\\""));
  EXPECT_THAT(lines[1], HasSubstr("next_try_ms="));
  for (const std::string& line : lines) {
    EXPECT_THAT(line, Not(HasSubstr("secret")));
    EXPECT_THAT(line, Not(HasSubstr("ada-the-user")));
  }
}

// --- Keep Alive -----------------------------------------------------------------

// MQTT-3.1.2-20
TEST_F(ClientConnectTest, PingsAQuietConnectionInGoodTime) {
  options_.keep_alive = seconds(60);
  StartConnected();
  clock_.Advance(seconds(44));
  EXPECT_EQ(peer_->Names(), "");
  clock_.Advance(seconds(1));
  EXPECT_EQ(peer_->Names(), "PINGREQ");
  peer_->Expect<PingReq>();
  peer_->Send(PingResp());
  Run();
  clock_.Advance(seconds(45));
  EXPECT_EQ(peer_->Names(), "PINGREQ");
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
}

TEST_F(ClientConnectTest, PingsAlsoWhenItSendsButHearsNothing) {
  options_.keep_alive = seconds(60);
  StartConnected();
  for (int i = 0; i < 9; ++i) {
    client_->Publish(Message("t", "x", QoS::kAtMostOnce), [](const CodeOr&) {});
    clock_.Advance(seconds(5));
  }
  EXPECT_THAT(peer_->Names(), HasSubstr("PINGREQ"));
}

TEST_F(ClientConnectTest, ADeadPeerIsLostHalfAKeepAliveAfterThePing) {
  options_.keep_alive = seconds(60);
  StartConnected();
  clock_.Advance(seconds(45));
  EXPECT_EQ(peer_->Names(), "PINGREQ");
  clock_.Advance(seconds(29));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
  clock_.Advance(seconds(1));
  EXPECT_EQ(StateNames(), "stopped connecting connected waiting");
  EXPECT_THAT(states_[3].why, HasReasonCode(ReasonCode::kKeepAliveTimeout));
}

// MQTT-3.1.2-21, MQTT-3.2.2-21
TEST_F(ClientConnectTest, TheServersKeepAliveReplacesOurs) {
  options_.keep_alive = seconds(600);
  Properties properties;
  properties.Set(property::kServerKeepAlive, 4);
  StartConnected(properties);
  clock_.Advance(seconds(3));
  EXPECT_EQ(peer_->Names(), "PINGREQ");
}

TEST_F(ClientConnectTest, AKeepAliveOfZeroNeverPings) {
  options_.keep_alive = seconds(0);
  StartConnected();
  clock_.Advance(std::chrono::hours(24));
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
}

}  // namespace
}  // namespace mqttrpc::mqtt
