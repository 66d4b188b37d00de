// What waits in the client: the queue's policy, answers that do not come, counts.
#include <string>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class ClientQueueTest : public ClientTest {
 protected:
  std::optional<CodeOr> result_, second_, third_;
};

TEST_F(ClientQueueTest, MayDropTheOldestForTheNewest) {
  options_.maximum_queued_messages = 2;
  options_.queue_policy = QueuePolicy::kDropOldest;
  MakeClient();
  client_->Publish(Message("t", "0"), Into(result_));
  client_->Publish(Message("t", "1"), Into(second_));
  client_->Publish(Message("t", "2"), Into(third_));
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("dropped")));
  EXPECT_EQ(client_->statistics().dropped_queue_full, 1u);
  EXPECT_EQ(client_->statistics().queued_messages, 2u);
  client_->Start();
  AcceptConnect();
  SendConnAck();
  EXPECT_EQ(peer_->Expect<Publish>().payload, "1");
  EXPECT_EQ(peer_->Expect<Publish>().payload, "2");
}

TEST_F(ClientQueueTest, DropsAsManyAsTheBytesNeedButNoneForWhatNeverFits) {
  options_.maximum_queued_bytes = 100;
  options_.queue_policy = QueuePolicy::kDropOldest;
  MakeClient();
  for (int i = 0; i < 4; ++i) client_->Publish(Message("t", std::string(24, 'x')), [](const CodeOr&) {});
  client_->Publish(Message("t", std::string(100, 'x')), Into(result_));
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(ReasonCodeOf(result_->status()), ReasonCode::kPacketTooLarge);
  EXPECT_EQ(client_->statistics().queued_messages, 4u);
  client_->Publish(Message("t", std::string(74, 'x')), Into(second_));
  Run();
  EXPECT_EQ(client_->statistics().queued_messages, 2u);
  EXPECT_EQ(client_->statistics().queued_bytes, 100u);
  EXPECT_FALSE(second_.has_value());
}

TEST_F(ClientQueueTest, QoS0MayFailAtOnceWithoutAConnection) {
  options_.queue_qos0_offline = false;
  MakeClient();
  client_->Publish(Message("t", "0", QoS::kAtMostOnce), Into(result_));
  client_->Publish(Message("t", "1"), Into(second_));
  Run();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_FALSE(second_.has_value());
  EXPECT_EQ(client_->statistics().dropped_offline, 1u);
  client_->Start();
  AcceptConnect();
  SendConnAck();
  client_->Publish(Message("t", "2", QoS::kAtMostOnce), Into(third_));
  Run();
  EXPECT_THAT(*third_, IsOk());
}

TEST_F(ClientQueueTest, CountsTheExpiryOfWhatWaitsDown) {  // 3.3.2.3.3
  MakeClient();
  Message message("t", "x");
  message.properties.Set(property::kMessageExpiryInterval, std::uint32_t{10});
  client_->Publish(message, Into(result_));
  Run();
  clock_.Advance(seconds(7));
  client_->Start();
  AcceptConnect();
  SendConnAck();
  EXPECT_EQ(peer_->Expect<Publish>().properties.Get(property::kMessageExpiryInterval), 3u);
}

TEST_F(ClientQueueTest, DoesNotSendWhatExpiredMeanwhile) {
  MakeClient();
  Message message("t", "old");
  message.properties.Set(property::kMessageExpiryInterval, std::uint32_t{10});
  client_->Publish(message, Into(result_));
  client_->Publish(Message("t", "new"), Into(second_));
  Run();
  clock_.Advance(seconds(10));
  client_->Start();
  AcceptConnect();
  SendConnAck();
  EXPECT_EQ(peer_->Expect<Publish>().payload, "new");
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("expired")));
  EXPECT_EQ(client_->statistics().dropped_expired, 1u);
  EXPECT_EQ(client_->statistics().queued_bytes, 0u);
}

// --- Answers in time ----------------------------------------------------------------

// MQTT-4.4.0-1
TEST_F(ClientQueueTest, AnUnansweredPublishMeansTheConnectionIsLostAndIsRepeated) {
  StartConnected();
  client_->Publish(Message("t", "x"), Into(result_));
  Run();
  clock_.Advance(options_.acknowledgement_timeout - milliseconds(1));
  EXPECT_EQ(peer_->Names(), "PUBLISH") << "at no other time";
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  EXPECT_THAT(states_.back().why, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("30000 ms")));
  WaitForNextTry();
  AcceptConnect();
  SendConnAck(true);
  EXPECT_TRUE(peer_->Expect<Publish>().dup);
}

TEST_F(ClientQueueTest, EachHalfOfQoS2HasItsOwnTime) {
  StartConnected();
  client_->Publish(Message("t", "x", QoS::kExactlyOnce), Into(result_));
  Run();
  const PacketId id = peer_->Expect<Publish>().packet_id;
  clock_.Advance(seconds(20));
  Respond<PubRec>(id);
  clock_.Advance(seconds(20));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
  clock_.Advance(seconds(10));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
}

TEST_F(ClientQueueTest, TheOldestUnansweredCountsHoweverManyOthersAreAnswered) {
  StartConnected();
  client_->Publish(Message("t", "stuck"), Into(result_));
  Run();
  peer_->Expect<Publish>();
  for (int i = 0; i < 29; ++i) {
    clock_.Advance(seconds(1));
    client_->Publish(Message("t", "x"), [](const CodeOr&) {});
    Run();
    Ack(peer_->Expect<Publish>().packet_id);
  }
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
  clock_.Advance(seconds(1));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
}

TEST_F(ClientQueueTest, SubscribeAndUnsubscribeAreTimedToo) {
  StartConnected();
  client_->Subscribe(Subscription("a"), [](const MessageView&) {}, Into(result_));
  clock_.Advance(options_.acknowledgement_timeout);
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
  WaitForNextTry();
  AcceptConnect();
  SendConnAck(true);
  AnswerSubscribe();
  EXPECT_THAT(*result_, IsOk());
  client_->Unsubscribe("a", Into(second_));
  clock_.Advance(options_.acknowledgement_timeout);
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kWaiting);
}

TEST_F(ClientQueueTest, ATimeoutOfZeroWaitsForEver) {
  options_.acknowledgement_timeout = milliseconds(0);
  options_.keep_alive = seconds(0);
  StartConnected();
  client_->Publish(Message("t", "x"), Into(result_));
  clock_.Advance(std::chrono::hours(24));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kConnected);
}

// --- Statistics ----------------------------------------------------------------------

TEST_F(ClientQueueTest, CountsWhatItDid) {
  Properties properties;
  properties.Set(property::kMaximumQoS, 1);
  StartConnected(properties);
  SubscribeTo("a");
  client_->Publish(Message("t", "x"), Into(result_));
  client_->Publish(Message("t", "x", QoS::kExactlyOnce), Into(second_));
  client_->Publish(Message("t", "y"), Into(third_));
  Run();
  peer_->Expect<Publish>();
  Ack(peer_->Expect<Publish>().packet_id, ReasonCode::kQuotaExceeded);
  SendMessage("a", "x", 1);
  const ClientStatistics statistics = client_->statistics();
  EXPECT_EQ(statistics.messages_sent, 2u);
  EXPECT_EQ(statistics.messages_received, 1u);
  EXPECT_EQ(statistics.dropped_by_limit, 1u);
  EXPECT_EQ(statistics.refused_by_broker, 1u);
  EXPECT_EQ(statistics.in_flight, 1u);
  EXPECT_EQ(statistics.bytes_sent, peer_->bytes_received());
  EXPECT_GT(statistics.bytes_received, 0u);
  Reconnect(true);
  EXPECT_EQ(client_->statistics().messages_repeated, 1u);
}

}  // namespace
}  // namespace mqttrpc::mqtt
