#include <string>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

class ClientRefusesTest : public ClientTest {
 protected:
  // What the client says before it hangs up, after the broker sent `bytes`.
  ReasonCode AnswerTo(std::string_view bytes) {
    StartConnected();
    peer_->SendBytes(bytes);
    Run();
    EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
    EXPECT_TRUE(peer_->closed().has_value());
    EXPECT_EQ(peer_->Names(), "DISCONNECT");
    return peer_->Expect<Disconnect>().reason_code;
  }
  ReasonCode AnswerTo(const Packet& packet) {
    std::string bytes;
    EXPECT_THAT(EncodePacket(packet, Sender::kServer, bytes), IsOk());
    return AnswerTo(bytes);
  }
};

TEST_F(ClientRefusesTest, AMalformedPacket) {
  EXPECT_EQ(AnswerTo(std::string_view("\x40\x01\x00", 3)), ReasonCode::kMalformedPacket);
}
TEST_F(ClientRefusesTest, AReservedPacketType) {
  EXPECT_EQ(AnswerTo(std::string_view("\x00\x00", 2)), ReasonCode::kMalformedPacket);
}
TEST_F(ClientRefusesTest, AnEndlessRemainingLength) {
  EXPECT_EQ(AnswerTo("\x30\xFF\xFF\xFF\xFF"), ReasonCode::kMalformedPacket);
}
TEST_F(ClientRefusesTest, APacketOverItsMaximumBeforeItHasArrived) {
  options_.maximum_packet_size = 1000;
  EXPECT_EQ(AnswerTo("\x30\xFF\xFF\x7F"), ReasonCode::kPacketTooLarge);
}
TEST_F(ClientRefusesTest, APacketOnlyClientsSend) {
  EXPECT_EQ(AnswerTo("\xC0" + std::string(1, '\0')), ReasonCode::kProtocolError);
}
TEST_F(ClientRefusesTest, ASecondConnAck) { EXPECT_EQ(AnswerTo(Packet(ConnAck())), ReasonCode::kProtocolError); }
TEST_F(ClientRefusesTest, AuthNobodyAskedFor) {
  Auth auth;
  auth.reason_code = ReasonCode::kContinueAuthentication;
  Properties properties;
  properties.Set(property::kAuthenticationMethod, "x");
  auth.properties = properties;
  EXPECT_EQ(AnswerTo(Packet(auth)), ReasonCode::kProtocolError);
}
// MQTT-3.1.2-27
TEST_F(ClientRefusesTest, TopicAliasesWhenItTakesNone) {
  options_.topic_alias_maximum = 0;
  Publish publish;
  Properties properties;
  properties.Set(property::kTopicAlias, 1);
  publish.topic_name = "a";
  publish.properties = properties;
  EXPECT_EQ(AnswerTo(Packet(publish)), ReasonCode::kTopicAliasInvalid);
}
// MQTT-3.3.4-9
TEST_F(ClientRefusesTest, MoreThanItsReceiveMaximum) {
  options_.receive_maximum = 2;
  std::string bytes;
  for (PacketId id = 1; id <= 3; ++id) {
    Publish publish;
    publish.topic_name = "a";
    publish.qos = QoS::kAtLeastOnce;
    publish.packet_id = id;
    ASSERT_THAT(EncodePublish(publish, Sender::kServer, bytes), IsOk());
  }
  StartConnected();
  peer_->SendBytes(bytes);
  Run();
  EXPECT_EQ(peer_->Names(), "PUBACK PUBACK DISCONNECT");
  peer_->Expect<PubAck>();
  peer_->Expect<PubAck>();
  EXPECT_EQ(peer_->Expect<Disconnect>().reason_code, ReasonCode::kReceiveMaximumExceeded);
}
TEST_F(ClientRefusesTest, AnAcknowledgementOfTheWrongKind) {
  StartConnected();
  client_->Publish(Message("t", "x"), [](const CodeOr&) {});
  Run();
  SubAck ack;
  ack.packet_id = peer_->Expect<Publish>().packet_id;
  ack.reason_codes = {ReasonCode::kGrantedQoS1};
  peer_->Send(ack);
  Run();
  EXPECT_EQ(peer_->Expect<Disconnect>().reason_code, ReasonCode::kProtocolError);
}
TEST_F(ClientRefusesTest, AnythingBeforeConnAckWithoutAWord) {
  MakeClient();
  client_->Start();
  AcceptConnect();
  peer_->Send(PingResp());
  Run();
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_TRUE(peer_->closed().has_value());
}

using ClientBrokerTest = ClientTest;

TEST_F(ClientBrokerTest, AStrayAcknowledgementIsIgnored) {
  StartConnected();
  Ack(77);
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
}

// MQTT-4.13.2-1
TEST_F(ClientBrokerTest, ADisconnectIsToldWithItsReasonAndFollowedByAnotherTry) {
  StartConnected();
  Disconnect disconnect;
  disconnect.reason_code = ReasonCode::kServerShuttingDown;
  peer_->Send(disconnect);
  Run();
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  EXPECT_THAT(states_.back().why, HasReasonCode(ReasonCode::kServerShuttingDown));
  EXPECT_THAT(*peer_->closed(), IsOk());
  WaitForNextTry();
  AcceptConnect();
}

// MQTT-4.2.0-1
TEST_F(ClientBrokerTest, BytesInAnyPiecesAreTheSame) {
  StartConnected();
  SubscribeTo("a");
  std::string bytes;
  for (int i = 0; i < 3; ++i) {
    Publish publish;
    const std::string payload = std::to_string(i);
    publish.topic_name = "a";
    publish.payload = payload;
    ASSERT_THAT(EncodePublish(publish, Sender::kServer, bytes), IsOk());
  }
  for (const char each : bytes) {
    peer_->SendBytes(std::string_view(&each, 1));
    Run();
  }
  EXPECT_THAT(messages_, testing::ElementsAre("a=0", "a=1", "a=2"));
}

}  // namespace
}  // namespace mqttrpc::mqtt
