// The session over connections; the will; how to say good-bye.
#include <string>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class ClientSessionTest : public ClientTest {
 protected:
  const Disconnect& DisconnectWith(const DisconnectOptions& how) {
    client_->Disconnect(how, Into(result_));
    Run();
    return peer_->Expect<Disconnect>();
  }
  std::optional<absl::Status> result_;
};

// MQTT-3.1.2-4, MQTT-3.1.3-2: with the same client id a new process finds its session again.
TEST_F(ClientSessionTest, AFreshClientMayResumeWhatTheBrokerKept) {
  options_.clean_start = false;
  options_.session_expiry = seconds(3600);
  MakeClient();
  client_->Start();
  EXPECT_FALSE(AcceptConnect().clean_start);
  SendConnAck(true);
  ASSERT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
  EXPECT_TRUE(states_.back().session_present);
  SendMessage("from/before", "x", 5, QoS::kExactlyOnce, true);
  EXPECT_EQ(peer_->Expect<PubRec>().packet_id, 5);
}

TEST_F(ClientSessionTest, WhatWaitedInTheSessionFindsWhoSubscribedBeforeTheStart) {
  options_.clean_start = false;
  options_.session_expiry = seconds(3600);
  MakeClient();
  std::vector<std::string> got;
  client_->Subscribe(
      Subscription("from/#"), [&](const MessageView& message) { got.emplace_back(message.payload); },
      [](const CodeOr&) {});
  client_->Start();
  AcceptConnect();
  ConnAck connack;
  connack.session_present = true;
  peer_->Send(connack);
  SendMessage("from/before", "waited", 5);  // In one read with CONNACK.
  EXPECT_THAT(got, testing::ElementsAre("waited"));
  EXPECT_EQ(client_->statistics().messages_unhandled, 0u);
}

TEST_F(ClientSessionTest, CountsWhatNobodyHandles) {
  StartConnected();
  SendMessage("nobody", "x", 5);
  EXPECT_EQ(client_->statistics().messages_unhandled, 1u);
}

// MQTT-3.1.2-23
TEST_F(ClientSessionTest, TheExpiryGoesOutWithEachConnect) {
  options_.session_expiry = seconds(60);
  StartConnected();
  peer_->Drop();
  Run();
  WaitForNextTry();
  EXPECT_EQ(AcceptConnect().properties.Get(property::kSessionExpiryInterval), 60u);
}

TEST_F(ClientSessionTest, TellsTheExpiryThatTheBrokerChose) {
  options_.session_expiry = seconds(3600);
  Properties properties;
  properties.Set(property::kSessionExpiryInterval, 60u);
  StartConnected(properties);
  EXPECT_EQ(client_->state().session_expiry, seconds(60));
  Reconnect(true);
  EXPECT_EQ(client_->state().session_expiry, seconds(3600));
}

// MQTT-3.2.2-5
TEST_F(ClientSessionTest, ALostSessionIsCounted) {
  StartConnected();
  Reconnect(true);
  Reconnect(false);
  const ClientStatistics statistics = client_->statistics();
  EXPECT_EQ(statistics.connections, 3u);
  EXPECT_EQ(statistics.connections_lost, 2u);
  EXPECT_EQ(statistics.sessions_lost, 1u);
}

TEST_F(ClientSessionTest, ARefusedResubscriptionIsToldToTheApplication) {
  std::vector<std::string> lost;
  options_.subscription_lost = [&](const std::string& topic_filter, const absl::Status& why) {
    lost.push_back(topic_filter + ": " + std::string(why.message()));
  };
  StartConnected();
  SubscribeTo("a");
  Reconnect(false);
  AnswerSubscribe(ReasonCode::kNotAuthorized);
  EXPECT_THAT(lost, ElementsAre("a: Not authorized: subscribe to a"));
}

// --- Will -------------------------------------------------------------------------

// MQTT-3.1.2-9, MQTT-3.1.2-12, MQTT-3.1.3-1, MQTT-3.1.3-11
TEST_F(ClientSessionTest, SendsTheWillWithItsDelayOnEachConnect) {
  Message will("gone/c", "bye", QoS::kExactlyOnce);
  will.retain = true;
  will.properties.Add(property::kUserProperty, {"k", "v"});
  options_.will = will;
  options_.will_delay = seconds(30);
  options_.user_name = "ada";
  options_.password = "pw";
  MakeClient();
  client_->Start();
  for (int i = 0; i < 2; ++i) {
    const Connect& connect = AcceptConnect();
    ASSERT_TRUE(connect.will.has_value());
    EXPECT_EQ(connect.will->topic_name, "gone/c");
    EXPECT_EQ(connect.will->payload, "bye");
    EXPECT_EQ(connect.will->qos, QoS::kExactlyOnce);
    EXPECT_TRUE(connect.will->retain);
    EXPECT_EQ(connect.will->properties.Get(property::kWillDelayInterval), 30u);
    EXPECT_EQ(connect.will->properties.UserProperty("k"), "v");
    EXPECT_EQ(connect.user_name, "ada");
    SendConnAck(i > 0);
    peer_->Drop();
    Run();
    WaitForNextTry();
  }
}

TEST_F(ClientSessionTest, AnImpossibleWillStopsTheClientBeforeItDials) {
  options_.will = Message("a/#", "x");
  MakeClient();
  client_->Start();
  Run();
  EXPECT_THAT(states_.back().why, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Will Topic")));
  EXPECT_EQ(connector_.dialled(), 0);
}

// --- DISCONNECT -------------------------------------------------------------------

// MQTT-3.14.2-1, MQTT-3.14.1-1
TEST_F(ClientSessionTest, DisconnectCarriesReasonExpiryAndProperties) {
  options_.session_expiry = seconds(60);
  StartConnected();
  DisconnectOptions how;
  how.reason_code = ReasonCode::kDisconnectWithWillMessage;
  how.session_expiry = seconds(7200);
  how.properties.Add(property::kUserProperty, {"why", "update"});
  const Disconnect& disconnect = DisconnectWith(how);
  EXPECT_EQ(disconnect.reason_code, ReasonCode::kDisconnectWithWillMessage);
  EXPECT_EQ(disconnect.properties.Get(property::kSessionExpiryInterval), 7200u);
  EXPECT_EQ(disconnect.properties.UserProperty("why"), "update");
  EXPECT_THAT(*result_, IsOk());
}

TEST_F(ClientSessionTest, AnExpiryOfZeroCannotBeRaisedAtDisconnect) {
  StartConnected();
  DisconnectOptions how;
  how.session_expiry = seconds(1);
  client_->Disconnect(how, Into(result_));
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-3.14.2-1
TEST_F(ClientSessionTest, AReasonOnlyBrokersGiveIsRefused) {
  StartConnected();
  DisconnectOptions how;
  how.reason_code = ReasonCode::kServerShuttingDown;
  client_->Disconnect(how, Into(result_));
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-3.14.2-3, MQTT-3.14.2-4, MQTT-3.2.2-15
TEST_F(ClientSessionTest, PropertiesTheBrokerHasNoRoomForAreLeftOut) {
  Properties limits;
  limits.Set(property::kMaximumPacketSize, 50u);
  StartConnected(limits);
  DisconnectOptions how;
  how.reason_code = ReasonCode::kDisconnectWithWillMessage;
  how.properties.Set(property::kReasonString, std::string(100, 'x'));
  const Disconnect& disconnect = DisconnectWith(how);
  EXPECT_EQ(disconnect.reason_code, ReasonCode::kDisconnectWithWillMessage);
  EXPECT_TRUE(disconnect.properties.empty());
}

// MQTT-3.14.4-1, MQTT-3.14.4-2
TEST_F(ClientSessionTest, AfterDisconnectNothingIsSentAndTheStreamIsClosed) {
  StartConnected();
  DisconnectWith(DisconnectOptions());
  client_->Publish(Message("t", "x"), [](const CodeOr&) {});
  Run();
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_TRUE(peer_->closed().has_value());
}

TEST_F(ClientSessionTest, CancellingADisconnectEndsTheWaitOnly) {
  StartConnected();
  peer_->PauseReading();
  client_->Publish(Message("a", std::string(200'000, 'x'), QoS::kAtMostOnce), [](const CodeOr&) {});
  asio::cancellation_signal signal;
  client_->Disconnect(asio::bind_cancellation_slot(signal.slot(), Into(result_)));
  Run();
  EXPECT_FALSE(result_.has_value());
  signal.emit(asio::cancellation_type::terminal);
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kCancelled));
  peer_->ResumeReading();
  Run();
  EXPECT_THAT(peer_->Names(), HasSubstr("DISCONNECT"));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kStopped);
}

}  // namespace
}  // namespace mqttrpc::mqtt
