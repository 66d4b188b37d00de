// Requests that the broker granted, and whose answer was lost.
#include <chrono>
#include <optional>
#include <string>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>

#include "client_fixture.h"

namespace mqttrpc::mqtt {
namespace {

using std::chrono::seconds;

class ClientDoubtTest : public ClientTest {
 protected:
  ClientDoubtTest() {
    options_.keep_alive = seconds(0);
    options_.session_expiry = seconds(30);
  }

  // Connected and subscribed, then away for `time`; then a CONNECT is not answered.
  // Returns the next one.
  const Connect& AfterAnUnansweredConnect(seconds time) {
    options_.backoff_minimum = options_.backoff_maximum = time;
    StartConnected();
    SubscribeTo("a");
    peer_->Drop();
    Run();
    WaitForNextTry();
    EXPECT_FALSE(AcceptConnect().clean_start);
    peer_->Drop();
    Run();
    WaitForNextTry();
    return AcceptConnect();
  }
};

// The broker may have begun a session without our subscriptions: a CONNACK that
// says it has one would be right and of no use.
TEST_F(ClientDoubtTest, AfterTheSessionEndedANewOneIsAskedFor) {
  EXPECT_TRUE(AfterAnUnansweredConnect(seconds(200)).clean_start);
  SendConnAck(false);
  EXPECT_EQ(peer_->Expect<Subscribe>().entries.at(0).topic_filter, "a");
}

// The old one can be meant, or the one that a restarted broker began at the CONNECT whose
// answer was lost: what was subscribed to is asked for again, which harms neither.
TEST_F(ClientDoubtTest, BeforeItEndedItIsResumedAndSubscribedToAgain) {
  EXPECT_FALSE(AfterAnUnansweredConnect(seconds(1)).clean_start);
  SendConnAck(true);
  EXPECT_EQ(peer_->Expect<Subscribe>().entries.at(0).topic_filter, "a");
  EXPECT_FALSE(client_->state().session_present);
}

// It may reach the broker after the session ended, when we are gone.
TEST_F(ClientDoubtTest, AnUnansweredConnectOfBeforeTheEndCountsToo) {
  options_.backoff_minimum = options_.backoff_maximum = seconds(1);
  StartConnected();
  SubscribeTo("a");
  peer_->Drop();
  Run();
  WaitForNextTry();
  EXPECT_FALSE(AcceptConnect().clean_start);
  connector_.set_answer(ScriptedConnector::Answer::kRefuse);
  peer_->Drop();
  clock_.Advance(seconds(31));
  connector_.set_answer(ScriptedConnector::Answer::kAccept);
  WaitForNextTry();
  EXPECT_TRUE(AcceptConnect().clean_start);
}

// Nobody else can have been given one.
TEST_F(ClientDoubtTest, WithoutAnUnansweredConnectAnEndedSessionIsAskedFor) {
  options_.backoff_minimum = options_.backoff_maximum = seconds(1);
  StartConnected();
  connector_.set_answer(ScriptedConnector::Answer::kRefuse);
  peer_->Drop();
  clock_.Advance(seconds(31));
  connector_.set_answer(ScriptedConnector::Answer::kAccept);
  WaitForNextTry();
  EXPECT_FALSE(AcceptConnect().clean_start);
}

TEST_F(ClientDoubtTest, ASessionEndedAtDisconnectIsOver) {
  StartConnected();
  SubscribeTo("a");
  DisconnectOptions end;
  end.session_expiry = seconds(0);
  client_->Disconnect(end, [](const absl::Status&) {});
  Run();
  client_->Start();
  EXPECT_FALSE(AcceptConnect().clean_start);
  peer_->Drop();
  Run();
  WaitForNextTry();
  EXPECT_TRUE(AcceptConnect().clean_start);
}

// A refusal begins no session.
TEST_F(ClientDoubtTest, ARefusalLeavesNoDoubt) {
  options_.session_expiry = seconds(0);
  StartConnected();
  peer_->Drop();
  Run();
  WaitForNextTry();
  AcceptConnect();
  ConnAck refusal;
  refusal.reason_code = ReasonCode::kServerBusy;
  peer_->Send(refusal);
  Run();
  WaitForNextTry();
  EXPECT_FALSE(AcceptConnect().clean_start);
}

// The session that is resumed has the subscription, and its messages come before
// the client asks for it again.
TEST_F(ClientDoubtTest, MessagesOfASubscriptionWhoseSubAckWasLostAreHandedOver) {
  StartConnected();
  std::optional<CodeOr> result;
  client_->Subscribe(
      Subscription("a"), [this](const MessageView& message) { messages_.push_back(std::string(message.payload)); },
      Into(result));
  Run();
  const auto identifier = peer_->Expect<Subscribe>().properties.Get(property::kSubscriptionIdentifier);
  peer_->Drop();
  Run();
  WaitForNextTry();
  AcceptConnect();
  ConnAck resumed;
  resumed.session_present = true;
  peer_->Send(resumed);
  SendMessage("a", "kept for us", 1, identifier);
  EXPECT_THAT(messages_, testing::ElementsAre("kept for us"));
  EXPECT_FALSE(result.has_value());
  peer_->Expect<PubAck>();
  EXPECT_EQ(peer_->Expect<Subscribe>().properties.Get(property::kSubscriptionIdentifier), identifier);
}

TEST_F(ClientDoubtTest, ACancelledSubscriptionIsNotHandedAnything) {
  StartConnected();
  asio::cancellation_signal cancel;
  client_->Subscribe(
      Subscription("a"), [this](const MessageView&) { messages_.push_back("?"); },
      asio::bind_cancellation_slot(cancel.slot(), [](const CodeOr&) {}));
  Run();
  peer_->Expect<Subscribe>();
  peer_->Drop();
  Run();
  cancel.emit(asio::cancellation_type::all);
  WaitForNextTry();
  AcceptConnect();
  SendConnAck(true);
  SendMessage("a", "kept for nobody", 1);
  EXPECT_THAT(messages_, testing::IsEmpty());
  EXPECT_EQ(peer_->Names(), "PUBACK");
}

}  // namespace
}  // namespace mqttrpc::mqtt
