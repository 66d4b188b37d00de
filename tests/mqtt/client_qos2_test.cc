// Exactly once, both ways.
#include <string>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// --- Sending ------------------------------------------------------------------

class ClientSendsQoS2Test : public ClientTest {
 protected:
  void PublishExactlyOnce(std::string payload, std::optional<CodeOr>& result) {
    client_->Publish(Message("t", std::move(payload), QoS::kExactlyOnce), Into(result));
    Run();
  }
  PacketId ExpectPublish(const std::string& payload, bool dup = false) {
    const Publish& publish = peer_->Expect<Publish>();
    EXPECT_EQ(publish.payload, payload);
    EXPECT_EQ(publish.dup, dup);
    return publish.packet_id;
  }
  std::optional<CodeOr> result_, second_, third_;
};

// MQTT-4.3.3-1, MQTT-4.3.3-2, MQTT-4.3.3-3, MQTT-4.3.3-4, MQTT-4.3.3-5, MQTT-2.2.1-5, MQTT-3.6.1-1, MQTT-3.6.2-1
TEST_F(ClientSendsQoS2Test, GoesThroughAllFourPacketsAndCompletesWithWhatPubRecSaid) {
  StartConnected();
  PublishExactlyOnce("x", result_);
  const Publish& publish = peer_->Expect<Publish>();
  EXPECT_EQ(publish.qos, QoS::kExactlyOnce);
  EXPECT_FALSE(publish.dup);
  Respond<PubRec>(publish.packet_id, ReasonCode::kNoMatchingSubscribers);
  const PubRel& pubrel = peer_->Expect<PubRel>();
  EXPECT_EQ(pubrel.packet_id, publish.packet_id);
  EXPECT_EQ(pubrel.reason_code, ReasonCode::kSuccess);
  EXPECT_FALSE(result_.has_value());
  EXPECT_EQ(client_->statistics().in_flight, 1u);
  Respond<PubComp>(publish.packet_id);
  EXPECT_THAT(*result_, IsOkAndHolds(ReasonCode::kNoMatchingSubscribers));
  EXPECT_EQ(client_->statistics().in_flight, 0u);
}

// MQTT-4.4.0-2
TEST_F(ClientSendsQoS2Test, APubRecWithAnErrorEndsIt) {
  StartConnected();
  PublishExactlyOnce("x", result_);
  Respond<PubRec>(ExpectPublish("x"), ReasonCode::kQuotaExceeded);
  EXPECT_THAT(*result_, HasReasonCode(ReasonCode::kQuotaExceeded));
  EXPECT_EQ(peer_->Names(), "");
  Reconnect(true);
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-4.4.0-1, MQTT-4.6.0-1, MQTT-4.3.3-6
TEST_F(ClientSendsQoS2Test, AResumedSessionGetsPublishOrPubRelAgainInTheFirstOrder) {
  StartConnected();
  PublishExactlyOnce("0", result_);
  PublishExactlyOnce("1", second_);
  PublishExactlyOnce("2", third_);
  const PacketId ids[] = {ExpectPublish("0"), ExpectPublish("1"), ExpectPublish("2")};
  Respond<PubRec>(ids[0]);
  peer_->Expect<PubRel>();
  for (int again = 0; again < 2; ++again) {
    Reconnect(true);
    EXPECT_EQ(peer_->Expect<PubRel>().packet_id, ids[0]);
    EXPECT_EQ(ExpectPublish("1", true), ids[1]);
    EXPECT_EQ(ExpectPublish("2", true), ids[2]);
    EXPECT_EQ(peer_->Names(), "");
  }
  Respond<PubComp>(ids[0]);
  EXPECT_THAT(*result_, IsOk());
  Respond<PubRec>(ids[1]);
  EXPECT_EQ(peer_->Expect<PubRel>().packet_id, ids[1]);
}

// MQTT-4.6.0-4
TEST_F(ClientSendsQoS2Test, PubRelsKeepTheOrderOfThePubRecsAlsoWhenRepeated) {
  StartConnected();
  PublishExactlyOnce("0", result_);
  PublishExactlyOnce("1", second_);
  const PacketId first = ExpectPublish("0"), second = ExpectPublish("1");
  Respond<PubRec>(second);
  Respond<PubRec>(first);
  EXPECT_EQ(peer_->Expect<PubRel>().packet_id, second);
  EXPECT_EQ(peer_->Expect<PubRel>().packet_id, first);
  Reconnect(true);
  EXPECT_EQ(peer_->Expect<PubRel>().packet_id, second);
  EXPECT_EQ(peer_->Expect<PubRel>().packet_id, first);
}

// MQTT-4.3.3-6, MQTT-3.2.2-5
TEST_F(ClientSendsQoS2Test, ALostSessionCompletesWhatTheBrokerHadAndSendsTheRestAsNew) {
  StartConnected();
  PublishExactlyOnce("0", result_);
  PublishExactlyOnce("1", second_);
  const PacketId first = ExpectPublish("0");
  ExpectPublish("1");
  Respond<PubRec>(first, ReasonCode::kNoMatchingSubscribers);
  peer_->Expect<PubRel>();
  Reconnect(false);
  EXPECT_THAT(*result_, IsOkAndHolds(ReasonCode::kNoMatchingSubscribers));
  const PacketId again = ExpectPublish("1", false);
  EXPECT_EQ(peer_->Names(), "");
  Respond<PubRec>(again);
  Respond<PubComp>(again);
  EXPECT_THAT(*second_, IsOk());
}

// MQTT-4.3.3-5
TEST_F(ClientSendsQoS2Test, AForgottenIdInPubCompCompletesTheMessage) {
  StartConnected();
  PublishExactlyOnce("x", result_);
  const PacketId id = ExpectPublish("x");
  Respond<PubRec>(id);
  Respond<PubComp>(id, ReasonCode::kPacketIdentifierNotFound);
  EXPECT_THAT(*result_, IsOk());
}

// MQTT-4.3.3-4
TEST_F(ClientSendsQoS2Test, AnUnknownPubRecIsReleasedAsNotFound) {
  StartConnected();
  Respond<PubRec>(77);
  const PubRel& pubrel = peer_->Expect<PubRel>();
  EXPECT_EQ(pubrel.packet_id, 77);
  EXPECT_EQ(pubrel.reason_code, ReasonCode::kPacketIdentifierNotFound);
}

// MQTT-3.3.4-7, MQTT-4.9.0-2, MQTT-4.9.0-3
TEST_F(ClientSendsQoS2Test, TakesPartOfTheQuotaUntilPubComp) {
  Properties properties;
  properties.Set(property::kReceiveMaximum, 1);
  StartConnected(properties);
  PublishExactlyOnce("0", result_);
  PublishExactlyOnce("1", second_);
  const PacketId first = ExpectPublish("0");
  EXPECT_EQ(peer_->Names(), "");
  Respond<PubRec>(first);
  EXPECT_EQ(peer_->Names(), "PUBREL");
  Respond<PubComp>(first);
  EXPECT_EQ(peer_->Names(), "PUBREL PUBLISH");
}

// MQTT-4.9.0-1: a repeated PUBREL takes nothing from a new connection's quota.
TEST_F(ClientSendsQoS2Test, APubRelThatIsRepeatedLeavesTheQuotaToOthers) {
  StartConnected();
  PublishExactlyOnce("0", result_);
  Respond<PubRec>(ExpectPublish("0"));
  Properties properties;
  properties.Set(property::kReceiveMaximum, 1);
  Reconnect(true, properties);
  PublishExactlyOnce("1", second_);
  EXPECT_EQ(peer_->Names(), "PUBREL PUBLISH");
}

// MQTT-3.3.4-8, MQTT-4.9.0-3
TEST_F(ClientSendsQoS2Test, APublishThatWaitsForTheQuotaHoldsBackNoPubRel) {
  StartConnected();
  client_->Publish(Message("t", "0"), [](const CodeOr&) {});
  client_->Publish(Message("t", "1"), [](const CodeOr&) {});
  PublishExactlyOnce("2", result_);
  ExpectPublish("0");
  ExpectPublish("1");
  Respond<PubRec>(ExpectPublish("2"));
  Properties properties;
  properties.Set(property::kReceiveMaximum, 1);
  Reconnect(true, properties);
  EXPECT_EQ(peer_->Names(), "PUBLISH PUBREL");
  Ack(peer_->Expect<Publish>().packet_id);
  EXPECT_EQ(peer_->Names(), "PUBREL PUBLISH");
}

// MQTT-3.2.2-11
TEST_F(ClientSendsQoS2Test, IsRefusedHereIfTheBrokerTakesLess) {
  Properties properties;
  properties.Set(property::kMaximumQoS, 1);
  StartConnected(properties);
  PublishExactlyOnce("x", result_);
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("QoS 2; the broker takes at most 1")));
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-4.3.3-7
TEST_F(ClientSendsQoS2Test, ItsExpiryNoLongerCountsOnceItWasSent) {
  StartConnected();
  Message message("t", "x", QoS::kExactlyOnce);
  message.properties.Set(property::kMessageExpiryInterval, 1);
  client_->Publish(message, Into(result_));
  Run();
  const PacketId id = ExpectPublish("x");
  clock_.Advance(std::chrono::seconds(5));
  Reconnect(true);
  EXPECT_EQ(ExpectPublish("x", true), id);
  Respond<PubRec>(id);
  peer_->Expect<PubRel>();
  Respond<PubComp>(id);
  EXPECT_THAT(*result_, IsOk());
}

// --- Receiving ----------------------------------------------------------------

class ClientReceivesQoS2Test : public ClientTest {
 protected:
  void StartSubscribed() {
    StartConnected();
    SubscribeTo("a");
  }
  void SendExactlyOnce(PacketId id, std::string_view payload, bool dup = false) {
    SendMessage("a", payload, id, QoS::kExactlyOnce, dup);
  }
  void ExpectPubRec(PacketId id, ReasonCode code = ReasonCode::kSuccess) {
    const PubRec& pubrec = peer_->Expect<PubRec>();
    EXPECT_EQ(pubrec.packet_id, id);
    EXPECT_EQ(pubrec.reason_code, code);
  }
  void ExpectPubComp(PacketId id, ReasonCode code = ReasonCode::kSuccess) {
    const PubComp& pubcomp = peer_->Expect<PubComp>();
    EXPECT_EQ(pubcomp.packet_id, id);
    EXPECT_EQ(pubcomp.reason_code, code);
  }
};

// MQTT-3.3.4-1, MQTT-4.3.3-8, MQTT-4.3.3-11, MQTT-4.3.3-12
TEST_F(ClientReceivesQoS2Test, AnswersBothHalvesThenTheIdBeginsANewMessage) {
  StartSubscribed();
  for (const char* payload : {"0", "1"}) {
    SendExactlyOnce(9, payload);
    ExpectPubRec(9);
    Respond<PubRel>(9);
    ExpectPubComp(9);
  }
  EXPECT_THAT(messages_, ElementsAre("a=0", "a=1"));
  EXPECT_EQ(client_->statistics().unacknowledged, 0u);
}

// MQTT-4.3.3-10
TEST_F(ClientReceivesQoS2Test, ARepeatedIdIsAnsweredAndNotHandedOver) {
  StartSubscribed();
  SendExactlyOnce(9, "x");
  SendExactlyOnce(9, "x", true);
  SendExactlyOnce(9, "x", false);
  for (int i = 0; i < 3; ++i) ExpectPubRec(9);
  EXPECT_THAT(messages_, ElementsAre("a=x"));
  EXPECT_EQ(client_->statistics().duplicates_received, 2u);
}

// MQTT-4.3.3-10, MQTT-4.1.0-1, MQTT-3.1.2-23
TEST_F(ClientReceivesQoS2Test, RemembersIdsOverReconnects) {
  StartSubscribed();
  SendExactlyOnce(9, "x");
  Reconnect(true);
  SendExactlyOnce(9, "x", true);
  ExpectPubRec(9);
  Respond<PubRel>(9);
  ExpectPubComp(9);
  EXPECT_THAT(messages_, ElementsAre("a=x"));
}

// MQTT-3.2.2-5
TEST_F(ClientReceivesQoS2Test, ForgetsThemWithTheSession) {
  StartSubscribed();
  SendExactlyOnce(9, "x");
  Reconnect(false);
  AnswerSubscribe();
  SendExactlyOnce(9, "y");
  EXPECT_THAT(messages_, ElementsAre("a=x", "a=y"));
}

// MQTT-4.3.3-11, MQTT-3.7.2-1
TEST_F(ClientReceivesQoS2Test, AnUnknownPubRelIsCompletedAsNotFound) {
  StartSubscribed();
  Respond<PubRel>(77);
  ExpectPubComp(77, ReasonCode::kPacketIdentifierNotFound);
}

// MQTT-4.5.0-2
TEST_F(ClientReceivesQoS2Test, AcknowledgesAlsoWhatNobodyWants) {
  StartConnected();
  SendExactlyOnce(9, "x");
  ExpectPubRec(9);
}

// MQTT-4.3.3-13
TEST_F(ClientReceivesQoS2Test, TheHandshakeGoesOnAfterTheMessageExpired) {
  StartSubscribed();
  Properties properties;
  properties.Set(property::kMessageExpiryInterval, 1);
  Publish publish;
  publish.topic_name = "a";
  publish.qos = QoS::kExactlyOnce;
  publish.packet_id = 9;
  publish.properties = properties;
  Tell(publish);
  ExpectPubRec(9);
  clock_.Advance(std::chrono::seconds(5));
  Respond<PubRel>(9);
  ExpectPubComp(9);
}

// MQTT-3.3.4-9
TEST_F(ClientReceivesQoS2Test, CountsThemUntilPubComp) {
  options_.receive_maximum = 2;
  StartSubscribed();
  SendExactlyOnce(1, "1");
  SendExactlyOnce(2, "2");
  Respond<PubRel>(1);
  SendExactlyOnce(3, "3");
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
  SendExactlyOnce(4, "4");
  EXPECT_EQ(peer_->Names(), "PUBREC PUBREC PUBCOMP PUBREC DISCONNECT");
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
}

TEST_F(ClientReceivesQoS2Test, APubRelForAQoS1MessageIsAnError) {
  StartConnected();
  std::optional<CodeOr> subscribed;
  Acknowledgement held;
  client_->Subscribe(
      Subscription("a"), [&](const MessageView&, Acknowledgement handle) { held = std::move(handle); },
      Into(subscribed));
  Run();
  AnswerSubscribe();
  SendMessage("a", "x", 9);
  Respond<PubRel>(9);
  EXPECT_EQ(peer_->Expect<Disconnect>().reason_code, ReasonCode::kProtocolError);
}

}  // namespace
}  // namespace mqttrpc::mqtt
