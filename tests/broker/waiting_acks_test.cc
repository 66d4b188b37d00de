// Acknowledgements of requests and answers wait a moment for company:
// docs/decisions/0013-acknowledgements-that-wait.md.
#include <chrono>
#include <memory>
#include <string>

#include "broker_fixture.h"

namespace mqttrpc::test {
namespace {

using std::chrono::milliseconds;

class WaitingAcksTest : public BrokerTest {
 protected:
  void Open() {
    caller_ = Connected("caller");
    device_ = Connected("device");
    Subscribe(*caller_, "answers");
    Subscribe(*device_, "requests");
  }

  void Request(mqtt::PacketId packet_id, std::string_view topic_name = "requests") {
    mqtt::Properties properties;
    properties.Set(mqtt::property::kResponseTopic, "answers");
    properties.Set(mqtt::property::kCorrelationData, std::to_string(packet_id));
    SendWith(*caller_, PublishOf(topic_name, "please", packet_id), properties);
  }

  void Answer(mqtt::PacketId packet_id) {
    mqtt::Properties properties;
    properties.Set(mqtt::property::kCorrelationData, std::to_string(packet_id));
    SendWith(*device_, PublishOf("answers", "done", packet_id), properties);
  }

  void SendWith(RawClient& client, mqtt::Publish publish, const mqtt::Properties& properties) {
    publish.properties = properties;
    Send(client, publish);
  }

  std::unique_ptr<RawClient> caller_, device_;
};

TEST_F(WaitingAcksTest, ARequestIsAcknowledgedAheadOfItsAnswerInOneWrite) {
  Open();
  Request(7);
  EXPECT_EQ(caller_->waiting(), 0u);
  device_->Next<mqtt::Publish>();
  Answer(1);
  EXPECT_EQ(caller_->Next<mqtt::PubAck>().packet_id, 7);
  EXPECT_EQ(caller_->Next<mqtt::Publish>().payload, "done");
}

TEST_F(WaitingAcksTest, ARequestThatIsNotAnsweredIsAcknowledgedTenMillisecondsLater) {
  Open();
  Request(7);
  clock_.Advance(milliseconds(9));
  EXPECT_EQ(caller_->waiting(), 0u);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(caller_->Next<mqtt::PubAck>().packet_id, 7);
}

// Who waits for each acknowledgement is not slowed down for more than one in 65.
TEST_F(WaitingAcksTest, AfterOneThatWaitedInVainTheNextSixtyFourDoNotWait) {
  Open();
  Request(1);
  clock_.Advance(milliseconds(10));
  EXPECT_EQ(caller_->Next<mqtt::PubAck>().packet_id, 1);
  for (mqtt::PacketId each = 2; each < 2 + 64; ++each) {
    Request(each);
    EXPECT_EQ(caller_->Next<mqtt::PubAck>().packet_id, each);
  }
  Request(100);
  EXPECT_EQ(caller_->waiting(), 0u);
}

TEST_F(WaitingAcksTest, AnAnswerIsAcknowledgedWithTheNextRequest) {
  Open();
  Request(7);
  device_->Next<mqtt::Publish>();
  Answer(1);
  EXPECT_EQ(device_->waiting(), 0u);
  Request(8);
  EXPECT_EQ(device_->Next<mqtt::PubAck>().packet_id, 1);
  device_->Next<mqtt::Publish>();
  clock_.Advance(milliseconds(10));
  EXPECT_EQ(device_->waiting(), 0u);
}

// As devices do: the request's PUBACK and the answer come together.
TEST_F(WaitingAcksTest, WhatAClientAcknowledgesItselfHastensNothing) {
  Open();
  Request(7);
  const auto request = device_->Next<mqtt::Publish>();
  mqtt::PubAck ack;
  ack.packet_id = request.packet_id;
  device_->Send(ack);
  Answer(1);
  EXPECT_EQ(device_->waiting(), 0u);
}

// Who sees only the acknowledgement, as for a call without an answer, is not kept waiting.
TEST_F(WaitingAcksTest, WithoutAnAnswerToComeTheAcknowledgementDoesNotWait) {
  Open();
  Send(*caller_, PublishOf("requests", "plain", 1));
  EXPECT_EQ(caller_->Next<mqtt::PubAck>().packet_id, 1);
  mqtt::Properties properties;
  properties.Set(mqtt::property::kCorrelationData, "2");
  SendWith(*caller_, PublishOf("requests", "one-way", 2), properties);
  EXPECT_EQ(caller_->Next<mqtt::PubAck>().packet_id, 2);
}

TEST_F(WaitingAcksTest, BadNewsDoesNotWait) {
  Open();
  Request(7, "nobody");
  EXPECT_EQ(caller_->Next<mqtt::PubAck>().reason_code, mqtt::ReasonCode::kNoMatchingSubscribers);
}

TEST_F(WaitingAcksTest, NeverTakeMoreThanAQuarterOfTheReceiveMaximum) {
  options_.receive_maximum = 8;
  Open();
  Request(1);
  EXPECT_EQ(caller_->waiting(), 0u);
  Request(2);
  EXPECT_EQ(caller_->Next<mqtt::PubAck>().packet_id, 1);
  EXPECT_EQ(caller_->Next<mqtt::PubAck>().packet_id, 2);
}

TEST_F(WaitingAcksTest, AClientThatLeavesMeanwhileTroublesNobody) {
  Open();
  Request(7);
  caller_ = nullptr;
  Settle();
  clock_.Advance(milliseconds(10));
  ExpectServing();
}

}  // namespace
}  // namespace mqttrpc::test
