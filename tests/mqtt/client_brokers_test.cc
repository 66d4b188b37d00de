// Several brokers, and brokers that send us elsewhere.
#include <string>

#include "broker_list.h"
#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using testing::ElementsAre;

class ClientBrokersTest : public ClientTest {
 protected:
  void UseThree() { options_.brokers = {"mqtt://a", "mqtt://b", "mqtt://c"}; }
  void StartRefused() {
    connector_.set_answer(ScriptedConnector::Answer::kRefuse);
    MakeClient();
    client_->Start();
    Run();
  }
  static Properties Reference(std::string_view reference) {
    Properties properties;
    properties.Set(property::kServerReference, reference);
    return properties;
  }
  void RefuseConnect(ReasonCode code, const Properties& properties = {}) {
    ConnAck connack;
    connack.reason_code = code;
    connack.properties = properties;
    Tell(connack);
  }
  void SendDisconnect(ReasonCode code, const Properties& properties = {}) {
    Disconnect disconnect;
    disconnect.reason_code = code;
    disconnect.properties = properties;
    Tell(disconnect);
  }
};

TEST_F(ClientBrokersTest, AreTriedInTurnWithABackOffAfterEachRound) {
  UseThree();
  StartRefused();
  EXPECT_THAT(connector_.hosts(), ElementsAre("a", "b", "c"));
  EXPECT_GT(states_.back().next_try, clock_.Now());
  WaitForNextTry();
  Run();
  EXPECT_THAT(connector_.hosts(), ElementsAre("a", "b", "c", "a", "b", "c"));
}

TEST_F(ClientBrokersTest, ALostConnectionIsTriedAgainWhereItWas) {
  UseThree();
  StartRefused();
  connector_.set_answer(ScriptedConnector::Answer::kAccept);
  WaitForNextTry();
  AcceptConnect();
  RefuseConnect(ReasonCode::kServerBusy);
  AcceptConnect();
  SendConnAck();
  EXPECT_EQ(client_->state().broker, "mqtt://b");
  EXPECT_EQ(client_->broker(), "mqtt://a");
  peer_->Drop();
  Run();
  WaitForNextTry();
  AcceptConnect();
  EXPECT_EQ(connector_.hosts().back(), "b");
}

TEST_F(ClientBrokersTest, EachUrlIsCheckedBeforeAnyIsDialled) {
  options_.brokers = {"mqtt://a", "http://b"};
  StartRefused();
  EXPECT_THAT(states_.back().why, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(connector_.dialled(), 0);
}

TEST_F(ClientBrokersTest, AnotherServerIsUsedForOneConnection) {
  options_.broker = "mqtt://home";
  MakeClient();
  client_->Start();
  AcceptConnect();
  RefuseConnect(ReasonCode::kUseAnotherServer, Reference("away:1884"));
  AcceptConnect();
  SendConnAck();
  EXPECT_EQ(client_->state().broker, "mqtt://away:1884");
  peer_->Drop();
  Run();
  WaitForNextTry();
  AcceptConnect();
  EXPECT_THAT(connector_.hosts(), ElementsAre("home", "away", "home"));
}

TEST_F(ClientBrokersTest, AServerThatMovedIsUsedFromThenOn) {
  options_.broker = "mqtt://home";
  StartConnected();
  SendDisconnect(ReasonCode::kServerMoved, Reference("new"));
  AcceptConnect();
  SendConnAck();
  Reconnect(true);
  EXPECT_THAT(connector_.hosts(), ElementsAre("home", "new", "new"));
}

TEST_F(ClientBrokersTest, AReferenceMayNameSeveral) {
  options_.broker = "mqtt://home";
  StartConnected();
  connector_.set_answer(ScriptedConnector::Answer::kRefuse);
  SendDisconnect(ReasonCode::kUseAnotherServer, Reference("x y:1884"));
  EXPECT_THAT(connector_.hosts(), ElementsAre("home", "x", "y"));
  WaitForNextTry();
  EXPECT_EQ(connector_.hosts().back(), "home");
}

TEST_F(ClientBrokersTest, AChainOfReferencesComesToAnEnd) {
  options_.broker = "mqtt://home";
  options_.maximum_redirects = 3;
  MakeClient();
  client_->Start();
  for (int i = 0; i < 3; ++i) {
    AcceptConnect();
    RefuseConnect(ReasonCode::kUseAnotherServer, Reference("ring"));
    EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnecting);
  }
  AcceptConnect();
  RefuseConnect(ReasonCode::kUseAnotherServer, Reference("ring"));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  EXPECT_GT(states_.back().next_try, clock_.Now());
  WaitForNextTry();
  EXPECT_THAT(connector_.hosts(), ElementsAre("home", "ring", "ring", "ring", "home"));
  AcceptConnect();
  RefuseConnect(ReasonCode::kUseAnotherServer, Reference("ring"));
  EXPECT_EQ(connector_.hosts().back(), "ring") << "after the wait it counts from the start";
}

TEST_F(ClientBrokersTest, FollowingCanBeSwitchedOff) {
  options_.broker = "mqtt://home";
  options_.follow_server_reference = false;
  MakeClient();
  client_->Start();
  AcceptConnect();
  RefuseConnect(ReasonCode::kServerMoved, Reference("away"));
  WaitForNextTry();
  EXPECT_THAT(connector_.hosts(), ElementsAre("home", "home"));
}

TEST_F(ClientBrokersTest, AnUnreadableReferenceIsAnOrdinaryRefusal) {
  MakeClient();
  client_->Start();
  AcceptConnect();
  RefuseConnect(ReasonCode::kUseAnotherServer, Reference("not/a/host"));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  EXPECT_THAT(states_.back().why, HasReasonCode(ReasonCode::kUseAnotherServer));
}

TEST(ServerReferenceTest, TakesHostsPortsAndUrlsOfTheSameSchemeOnly) {
  EXPECT_THAT(ParseServerReference("a b:1884 [::1]:99", "mqtt://x"),
              ElementsAre("mqtt://a", "mqtt://b:1884", "mqtt://[::1]:99"));
  EXPECT_THAT(ParseServerReference("mqtt://a http://b  c:0 d:x", "mqtt://x"), ElementsAre("mqtt://a"));
  EXPECT_THAT(ParseServerReference("mqtt://plain", "mqtts://x"), ElementsAre());
  EXPECT_EQ(ParseServerReference("a b c d e f g h i j k l", "mqtt://x").size(), 8u);
}

// --- Taken over ------------------------------------------------------------------

TEST_F(ClientBrokersTest, GivesUpWhenItsSessionIsTakenOverAgainAndAgain) {
  StartConnected();
  for (int i = 0; i < 2; ++i) {
    clock_.Advance(options_.backoff_reset);
    SendDisconnect(ReasonCode::kSessionTakenOver);
    WaitForNextTry();
    AcceptConnect();
    SendConnAck(true);
  }
  SendDisconnect(ReasonCode::kSessionTakenOver);
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kStopped);
  EXPECT_THAT(states_.back().why, HasReasonCode(ReasonCode::kSessionTakenOver));
}

TEST_F(ClientBrokersTest, AnotherEndOfAConnectionForgivesTakeovers) {
  StartConnected();
  for (int i = 0; i < 5; ++i) {
    SendDisconnect(ReasonCode::kSessionTakenOver);
    WaitForNextTry();
    AcceptConnect();
    SendConnAck(true);
    Reconnect(true);
  }
}

}  // namespace
}  // namespace mqttrpc::mqtt
