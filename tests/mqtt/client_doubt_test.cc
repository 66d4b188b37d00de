// A CONNECT that begins a new session, and whose CONNACK is lost.
#include <chrono>

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

// Only the old one can be meant.
TEST_F(ClientDoubtTest, BeforeItEndedItIsResumed) {
  EXPECT_FALSE(AfterAnUnansweredConnect(seconds(1)).clean_start);
  SendConnAck(true);
  EXPECT_EQ(peer_->Names(), "");
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

}  // namespace
}  // namespace mqttrpc::mqtt
