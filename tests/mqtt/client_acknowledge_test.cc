// Acknowledging by hand.
#include <string>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using testing::ElementsAre;

class ClientAcknowledgeTest : public ClientTest {
 protected:
  // Subscribes to `topic_filter` and keeps what comes.
  void Hold(const std::string& topic_filter = "a") {
    std::optional<CodeOr> result;
    client_->Subscribe(
        Subscription(topic_filter, QoS::kExactlyOnce),
        [this](const MessageView& message, Acknowledgement handle) {
          messages_.emplace_back(message.payload);
          held_.push_back(std::move(handle));
        },
        Into(result));
    Run();
    AnswerSubscribe(ReasonCode::kGrantedQoS2);
  }
  absl::Status Acknowledge(std::size_t index) {
    absl::Status status = held_[index].Acknowledge();
    Run();
    return status;
  }
  std::vector<Acknowledgement> held_;
};

// MQTT-3.3.4-1, MQTT-4.3.2-4
TEST_F(ClientAcknowledgeTest, NothingGoesOutBeforeTheHandleSaysSo) {
  StartConnected();
  Hold();
  SendMessage("a", "x", 9);
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_EQ(client_->statistics().unacknowledged, 1u);
  EXPECT_TRUE(held_[0]);
  EXPECT_THAT(Acknowledge(0), IsOk());
  EXPECT_EQ(peer_->Expect<PubAck>().packet_id, 9);
  EXPECT_FALSE(held_[0]);
  EXPECT_THAT(Acknowledge(0), IsOk()) << "of nothing";
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientAcknowledgeTest, MayBeSaidInsideTheHandler) {
  StartConnected();
  std::optional<CodeOr> result;
  client_->Subscribe(
      Subscription("a"), [](const MessageView&, Acknowledgement handle) { EXPECT_THAT(handle.Acknowledge(), IsOk()); },
      Into(result));
  Run();
  AnswerSubscribe();
  SendMessage("a", "x", 9);
  EXPECT_EQ(peer_->Expect<PubAck>().packet_id, 9);
}

TEST_F(ClientAcknowledgeTest, AQoS0MessageHasNothingToAcknowledge) {
  StartConnected();
  Hold();
  SendMessage("a", "x");
  EXPECT_FALSE(held_[0]);
  EXPECT_THAT(Acknowledge(0), IsOk());
  EXPECT_EQ(peer_->Names(), "");
}

// MQTT-4.6.0-2
TEST_F(ClientAcknowledgeTest, PubAcksKeepTheOrderOfTheMessages) {
  StartConnected();
  Hold();
  for (PacketId id = 1; id <= 3; ++id) SendMessage("a", "", id);
  SendMessage("other", "", 4);  // Acknowledged by the client itself, in its turn.
  EXPECT_THAT(Acknowledge(2), IsOk());
  EXPECT_THAT(Acknowledge(1), IsOk());
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_THAT(Acknowledge(0), IsOk());
  for (PacketId id = 1; id <= 4; ++id) EXPECT_EQ(peer_->Expect<PubAck>().packet_id, id);
}

// MQTT-4.6.0-3
TEST_F(ClientAcknowledgeTest, PubRecsKeepTheOrderOfTheMessagesAndLeaveQoS1Alone) {
  StartConnected();
  Hold();
  SendMessage("a", "", 1, QoS::kExactlyOnce);
  SendMessage("a", "", 2, QoS::kExactlyOnce);
  SendMessage("a", "", 3);
  EXPECT_THAT(Acknowledge(1), IsOk());
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_THAT(Acknowledge(2), IsOk());
  EXPECT_EQ(peer_->Expect<PubAck>().packet_id, 3);
  EXPECT_THAT(Acknowledge(0), IsOk());
  EXPECT_EQ(peer_->Expect<PubRec>().packet_id, 1);
  EXPECT_EQ(peer_->Expect<PubRec>().packet_id, 2);
}

// MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-4.3.3-9
TEST_F(ClientAcknowledgeTest, RefusesWithACodeThatThePacketsKnow) {
  StartConnected();
  Hold();
  SendMessage("a", "x", 1);
  SendMessage("a", "y", 2, QoS::kExactlyOnce);
  EXPECT_THAT(held_[0].Refuse(ReasonCode::kServerBusy), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_TRUE(held_[0]) << "still due";
  EXPECT_THAT(held_[0].Refuse(ReasonCode::kQuotaExceeded), IsOk());
  EXPECT_THAT(held_[1].Refuse(ReasonCode::kPayloadFormatInvalid), IsOk());
  Run();
  EXPECT_EQ(peer_->Expect<PubAck>().reason_code, ReasonCode::kQuotaExceeded);
  EXPECT_EQ(peer_->Expect<PubRec>().reason_code, ReasonCode::kPayloadFormatInvalid);
  SendMessage("a", "z", 2, QoS::kExactlyOnce);
  EXPECT_THAT(messages_, ElementsAre("x", "y", "z")) << "after the refusal the id begins a new message";
}

TEST_F(ClientAcknowledgeTest, TwoHandlersMustBothAcknowledge) {
  StartConnected();
  Hold("a");
  Hold("+");
  SendMessage("a", "x", 1);
  ASSERT_EQ(held_.size(), 2u);
  EXPECT_THAT(Acknowledge(1), IsOk());
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_THAT(Acknowledge(0), IsOk());
  EXPECT_EQ(peer_->Names(), "PUBACK");
}

// MQTT-3.3.4-9
TEST_F(ClientAcknowledgeTest, HeldMessagesCountTowardsReceiveMaximum) {
  options_.receive_maximum = 2;
  StartConnected();
  Hold();
  for (PacketId id = 1; id <= 3; ++id) SendMessage("a", "", id);
  EXPECT_EQ(peer_->Expect<Disconnect>().reason_code, ReasonCode::kReceiveMaximumExceeded);
}

TEST_F(ClientAcknowledgeTest, DroppedItAcknowledgesNothingAndTheRepetitionIsHandedOverAgain) {
  StartConnected();
  Hold();
  SendMessage("a", "x", 1);
  SendMessage("a", "y", 2, QoS::kExactlyOnce);
  held_.clear();
  Run();
  EXPECT_EQ(peer_->Names(), "");
  Reconnect(true);
  SendMessage("a", "x", 1, QoS::kAtLeastOnce, true);
  SendMessage("a", "y", 2, QoS::kExactlyOnce, true);
  EXPECT_THAT(messages_, ElementsAre("x", "y", "x", "y"));
  EXPECT_THAT(Acknowledge(0), IsOk());
  EXPECT_THAT(Acknowledge(1), IsOk());
  EXPECT_EQ(peer_->Names(), "PUBACK PUBREC");
}

// MQTT-4.3.3-10
TEST_F(ClientAcknowledgeTest, AResumedSessionHandsAHeldMessageOverOnlyOnce) {
  StartConnected();
  Hold();
  SendMessage("a", "x", 1);
  SendMessage("a", "y", 2, QoS::kExactlyOnce);
  peer_->Drop();
  Run();
  EXPECT_THAT(Acknowledge(0), IsOk()) << "while there is no connection";
  WaitForNextTry();
  AcceptConnect();
  SendConnAck(true);
  EXPECT_EQ(peer_->Names(), "") << "not before the broker has sent it again";
  SendMessage("a", "x", 1, QoS::kAtLeastOnce, true);
  EXPECT_EQ(peer_->Expect<PubAck>().packet_id, 1);
  SendMessage("a", "y", 2, QoS::kExactlyOnce, true);
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_THAT(Acknowledge(1), IsOk());
  EXPECT_EQ(peer_->Expect<PubRec>().packet_id, 2);
  EXPECT_THAT(messages_, ElementsAre("x", "y"));
}

// MQTT-4.3.2-5
TEST_F(ClientAcknowledgeTest, AnIdThatTheBrokerUsesAnewIsANewMessage) {
  StartConnected();
  Hold();
  SendMessage("a", "x", 1);
  Reconnect(true);
  SendMessage("a", "y", 1);
  EXPECT_THAT(messages_, ElementsAre("x", "y"));
  EXPECT_THAT(Acknowledge(0), IsOk()) << "of the old one: no harm";
  EXPECT_EQ(peer_->Names(), "");
  EXPECT_THAT(Acknowledge(1), IsOk());
  EXPECT_EQ(peer_->Names(), "PUBACK");
}

// MQTT-3.2.2-5
TEST_F(ClientAcknowledgeTest, AfterTheSessionWasLostItSaysSoAndDoesNothing) {
  StartConnected();
  Hold();
  SendMessage("a", "x", 1);
  Reconnect(false);
  AnswerSubscribe();
  EXPECT_THAT(Acknowledge(0), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientAcknowledgeTest, MayOutliveTheClient) {
  StartConnected();
  Hold();
  SendMessage("a", "x", 1);
  watch_.reset();
  client_.reset();
  Run();
  EXPECT_THAT(held_[0].Acknowledge(), StatusIs(absl::StatusCode::kCancelled));
}

// MQTT-3.14.4-1
TEST_F(ClientAcknowledgeTest, NothingIsAcknowledgedBehindADisconnect) {
  StartConnected();
  Hold();
  SendMessage("a", "x", 1);
  client_->Disconnect([](const absl::Status&) {});
  EXPECT_THAT(Acknowledge(0), IsOk());
  EXPECT_EQ(peer_->Names(), "DISCONNECT");
}

}  // namespace
}  // namespace mqttrpc::mqtt
