#include <string>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

const auto kIsCancelled = StatusIs(absl::StatusCode::kCancelled);

// --- Cancellation of one operation ----------------------------------------------

class ClientCancelTest : public ClientTest {
 protected:
  template <typename Result>
  auto Cancellable(std::optional<Result>& result) {
    return asio::bind_cancellation_slot(signal_.slot(), Into(result));
  }
  void Cancel() {
    signal_.emit(asio::cancellation_type::terminal);
    Run();
  }
  asio::cancellation_signal signal_;
  std::optional<CodeOr> result_;
};

TEST_F(ClientCancelTest, AQueuedPublishIsRemoved) {
  MakeClient();
  client_->Publish(Message("t", "gone"), Cancellable(result_));
  client_->Publish(Message("t", "stays"), [](const CodeOr&) {});
  Run();
  Cancel();
  EXPECT_THAT(*result_, kIsCancelled);
  client_->Start();
  AcceptConnect();
  SendConnAck();
  EXPECT_EQ(peer_->Expect<Publish>().payload, "stays");
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientCancelTest, ACompletionIsATokenWithASlotOfItsOwn) {
  MakeClient();
  client_->Publish(Message("t", ""), Completion<CodeOr>(Into(result_), signal_.slot()));
  Run();
  EXPECT_FALSE(result_.has_value());
  Cancel();
  EXPECT_THAT(*result_, kIsCancelled);
}

TEST_F(ClientCancelTest, CancellingMakesRoomInTheQueue) {
  options_.maximum_queued_messages = 1;
  MakeClient();
  for (int i = 0; i < 10; ++i) {
    result_.reset();
    client_->Publish(Message("t", ""), Cancellable(result_));
    Run();
    EXPECT_FALSE(result_.has_value());
    Cancel();
    EXPECT_THAT(*result_, kIsCancelled);
  }
}

// MQTT-4.3.2-3, MQTT-2.2.1-3
TEST_F(ClientCancelTest, APublishUnderWayEndsButItsPacketIdStaysInUse) {
  Properties properties;
  properties.Set(property::kReceiveMaximum, 1);
  StartConnected(properties);
  client_->Publish(Message("t", "0"), Cancellable(result_));
  Run();
  const PacketId first = peer_->Expect<Publish>().packet_id;
  Cancel();
  EXPECT_THAT(*result_, kIsCancelled);
  client_->Publish(Message("t", "1"), [](const CodeOr&) {});
  Run();
  EXPECT_EQ(peer_->Names(), "") << "the broker still counts the first";
  Ack(first);
  EXPECT_NE(peer_->Expect<Publish>().packet_id, first);
}

// MQTT-4.4.0-1
TEST_F(ClientCancelTest, ACancelledPublishUnderWayIsRepeatedInItsSessionAndNotInTheNext) {
  StartConnected();
  client_->Publish(Message("t", "0"), Cancellable(result_));
  Run();
  Cancel();
  Reconnect(true);
  EXPECT_TRUE(peer_->Expect<Publish>().dup);
  Reconnect(false);
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientCancelTest, AQueuedSubscribeIsRemoved) {
  MakeClient();
  client_->Subscribe(Subscription("a"), [](const MessageView&) {}, Cancellable(result_));
  Run();
  Cancel();
  EXPECT_THAT(*result_, kIsCancelled);
  client_->Start();
  AcceptConnect();
  SendConnAck();
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientCancelTest, ASubscribeUnderWayNeverCallsItsHandlerAgainAndIsTakenBack) {
  StartConnected();
  auto held = std::make_shared<int>();
  client_->Subscribe(Subscription("a"), [held](const MessageView&) { FAIL(); }, Cancellable(result_));
  Run();
  Cancel();
  EXPECT_THAT(*result_, kIsCancelled);
  EXPECT_EQ(held.use_count(), 1);
  SendMessage("a", "", 0, 1);
  AnswerSubscribe();
  EXPECT_EQ(peer_->Expect<Unsubscribe>().topic_filters.front(), "a");
}

TEST_F(ClientCancelTest, ACancelledReplacementLeavesTheOldHandler) {
  StartConnected();
  SubscribeTo("a");
  client_->Subscribe(Subscription("a"), [](const MessageView&) { FAIL(); }, Cancellable(result_));
  Run();
  Cancel();
  AnswerSubscribe();
  SendMessage("a", "x", 0, 1);
  EXPECT_THAT(messages_, testing::ElementsAre("a=x"));
  EXPECT_EQ(peer_->Names(), "");
}

TEST_F(ClientCancelTest, UnsubscribeAndUntilConnectedEndEarlyToo) {
  MakeClient();
  client_->Unsubscribe("a", Cancellable(result_));
  Run();
  Cancel();
  EXPECT_THAT(*result_, kIsCancelled);
  std::optional<absl::Status> connected;
  client_->UntilConnected(Cancellable(connected));
  Run();
  Cancel();
  EXPECT_THAT(*connected, kIsCancelled);
}

TEST_F(ClientCancelTest, CancellingWhatHasEndedDoesNothing) {
  StartConnected();
  client_->Publish(Message("t", "x"), Cancellable(result_));
  Run();
  Ack(peer_->Expect<Publish>().packet_id);
  EXPECT_THAT(*result_, IsOk());
  Cancel();
}

// --- Disconnect -----------------------------------------------------------------

using ClientDisconnectTest = ClientTest;

TEST_F(ClientDisconnectTest, SendsWhatIsQueuedThenDisconnectThenCloses) {
  StartConnected();
  std::optional<CodeOr> qos1, qos0;
  std::optional<absl::Status> done;
  client_->Publish(Message("t", "1"), Into(qos1));
  client_->Publish(Message("t", "0", QoS::kAtMostOnce), Into(qos0));
  client_->Disconnect(Into(done));
  Run();
  EXPECT_EQ(peer_->Names(), "PUBLISH PUBLISH DISCONNECT");
  EXPECT_THAT(*qos1, kIsCancelled);
  EXPECT_THAT(*qos0, IsOk());
  EXPECT_THAT(*done, IsOk());
  EXPECT_THAT(*peer_->closed(), IsOk());
  EXPECT_EQ(StateNames(), "stopped connecting connected stopped");
  EXPECT_THAT(states_.back().why, IsOk());
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(connector_.dialled(), 1);
}

TEST_F(ClientDisconnectTest, EndsAtOnceWithoutAConnection) {
  connector_.set_answer(ScriptedConnector::Answer::kSilence);
  MakeClient();
  std::optional<absl::Status> idle, dialling, waited;
  client_->Disconnect(Into(idle));
  client_->Start();
  client_->UntilConnected(Into(waited));
  Run();
  client_->Disconnect(Into(dialling));
  Run();
  EXPECT_THAT(*idle, IsOk());
  EXPECT_THAT(*dialling, IsOk());
  EXPECT_THAT(*waited, kIsCancelled);
  EXPECT_EQ(clock_.armed(), 0u);
}

TEST_F(ClientDisconnectTest, ToAPeerThatDoesNotReadEndsInTime) {
  StartConnected();
  peer_->PauseReading();
  client_->Publish(Message("t", std::string(100'000, 'x'), QoS::kAtMostOnce), [](const CodeOr&) {});
  std::optional<absl::Status> done;
  client_->Disconnect(Into(done));
  Run();
  EXPECT_FALSE(done.has_value());
  clock_.Advance(options_.connect_timeout);
  EXPECT_THAT(*done, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(states_.back().kind, ConnectionState::Kind::kStopped);
}

TEST_F(ClientDisconnectTest, StartMayFollowAndSubscribesAgain) {
  StartConnected();
  SubscribeTo("a");
  std::optional<absl::Status> done;
  client_->Disconnect(Into(done));
  client_->Start();  // While it is still disconnecting.
  EXPECT_FALSE(AcceptConnect().clean_start);
  EXPECT_THAT(*done, IsOk());
  SendConnAck();
  AnswerSubscribe();
  SendMessage("a", "x", 0, 1);
  EXPECT_THAT(messages_, testing::ElementsAre("a=x"));
}

}  // namespace
}  // namespace mqttrpc::mqtt
