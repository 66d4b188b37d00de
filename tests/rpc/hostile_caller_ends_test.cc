// Frames of calls that are over, of nobody, or of somebody else.
#include "hostile_caller.h"

namespace mqttrpc {
namespace {

using test::HostileCallerTest;
using test::ItemOf;
using test::kCancelled;
using test::kExhausted;
using test::kInternal;
using test::kUnavailable;
using test::milliseconds;
using test::seconds;
using test::UserProperty;
using testing::IsEmpty;
using testing::SizeIs;
namespace property = mqtt::property;

// --- Whose call it is

TEST_F(HostileCallerTest, AFrameOfACallThatNobodyKnowsIsUnavailable) {
  ServeEve();
  id_ = "nobody's";
  for (const char* frame : {"m:0", "e:3", "p:1", "w:0:16!"}) {
    inbox_.clear();
    Say(frame);
    ExpectBroken(kUnavailable, "does not know this call");
  }
  inbox_.clear();
  Say("c");
  mqtt::Message unanswerable = LaterFrame("m:0");
  unanswerable.properties.Remove(mqtt::PropertyId::kResponseTopic);
  Publish(*eve_, unanswerable);
  mqtt::Message nameless = LaterFrame("m:0");
  nameless.properties.Remove(mqtt::PropertyId::kCorrelationData);
  Publish(*eve_, nameless);
  EXPECT_THAT(inbox_, IsEmpty());
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnotherCallersFramesDoNotReachTheCall) {
  ServeEve();
  Begin("Mirror", "o:16-");
  mqtt::Client& mallory = Plain("mallory", "rpc1/r/mallory/+");
  inbox_.clear();
  for (const char* frame : {"m:0", "e:0", "w:5:99", "c", "z"}) {
    mqtt::Message message = LaterFrame(frame, "", {}, "rpc1/u/dev-1/mallory");
    message.properties.Set(property::kResponseTopic, "rpc1/r/mallory/1");
    Publish(mallory, message);
  }
  for (const mqtt::Message& each : inbox_) EXPECT_EQ(each.topic_name, "rpc1/r/mallory/1");
  EXPECT_EQ(server_->running_calls(), 2u);
  Say("m:0", Bytes(ItemOf(0)));
  EXPECT_TRUE(Heard("m:0"));
  Say("c");
  ExpectBroken(kCancelled);
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AFrameForAnotherInstanceDoesNotReachTheCall) {
  ServeEve();
  Begin("Mirror", "o:16-");
  inbox_.clear();
  for (const char* topic : {"rpc1/u/dev-2/eve", "rpc1/u/dev-1/eve/more", "rpc1/u/dev-1", "rpc2/u/dev-1/eve"}) {
    Publish(*eve_, LaterFrame("c", "", {}, topic));
  }
  EXPECT_THAT(inbox_, IsEmpty());
  EXPECT_EQ(server_->running_calls(), 2u);
  Say("c");
  ExpectBroken(kCancelled);
  ExpectNothingLeftBeside();
}

// --- The end

TEST_F(HostileCallerTest, AFrameAfterTheEndEndsItsCall) {
  ServeEve();
  DoNotRead();
  Begin("Sum", "o:16-");
  Say("m:0", "x");
  Say("e:1");
  Say("m:0", "again");
  EXPECT_FALSE(Heard(""));
  Say("m:1", "x");
  ExpectBroken(kInternal, "after its end");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnotherEndEndsItsCall) {
  ServeEve();
  DoNotRead();
  for (const char* end : {"e:2", "e:99"}) {
    Begin("Sum", "o:16-");
    Say("m:0", "x");
    Say("e:1");
    Say("e:1");
    EXPECT_FALSE(Heard(""));
    Say(end);
    ExpectBroken(kInternal, "the peer ended at");
  }
  Begin("Sum", "o:16-");
  Say("m:0", "x");
  Say("e:0");
  ExpectBroken(kInternal, "the peer ended at 0");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, FramesAfterTheAnswerGetTheAnswerAgain) {
  ServeEve();
  Begin("Sum", "o:16-", "", {{"rpc-tmo", "60000"}});
  Say("e:0");
  ASSERT_FALSE(inbox_.empty());
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-f"), "");
  const std::string payload = inbox_.back().payload;
  inbox_.clear();
  Say("m:0", "x");
  Say("p:1");
  ASSERT_THAT(inbox_, SizeIs(2));
  for (const mqtt::Message& each : inbox_) EXPECT_EQ(each.payload, payload);
  Say("w:0:16");
  Say("c");
  EXPECT_THAT(inbox_, SizeIs(2));
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnEndThatIsNeverConfirmedIsForgotten) {
  ServeEve();
  Range range;
  range.set_end(3);
  Begin("Count", "o:16", Bytes(range));
  EXPECT_EQ(FramesHeard().back(), "e:3");
  EXPECT_EQ(server_->waiting_calls(), 1u);
  Say("m:7", "nobody reads");
  Say("e:9");
  EXPECT_EQ(FramesHeard().back(), "e:3");
  world_.Advance(seconds(31));
  EXPECT_EQ(server_->waiting_calls(), 0u);
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, ACallerThatIsSilentAfterItPromisedPingsIsGone) {
  ServeEve();
  Begin("Mirror", "o:16-", "", {{"rpc-idle", "1"}});  // At least 100 ms are given.
  world_.Advance(milliseconds(299));
  EXPECT_EQ(server_->running_calls(), 2u);
  world_.Advance(milliseconds(1));
  ExpectBroken(kUnavailable, "caller eve: nothing was heard");
  ExpectNothingLeftBeside();
}

// The handler waits in Write() meanwhile.
TEST_F(HostileCallerTest, AHandlerThatWritesToNobodyEndsAtTheDeadline) {
  ServeEve();
  Range range;
  range.set_end(1'000);
  Begin("Count", "o:16", Bytes(range), {{"rpc-tmo", "3000"}});
  EXPECT_EQ(server_->running_calls(), 2u);
  world_.Advance(seconds(4));
  EXPECT_EQ(server_->running_calls(), 1u);
  EXPECT_EQ(streams_.begun, streams_.ended + 1);
  Say("c");
  ExpectNothingLeftBeside();
}

TEST_F(HostileCallerTest, AnAnswerThatNoPacketOfTheCallersHoldsIsAnError) {
  ServeEve();
  Begin("Echo", "", Bytes(ItemOf(1, 10)), {{"rpc-mps", "1"}});
  ASSERT_FALSE(inbox_.empty());
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-status"), kExhausted);
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-x"), "y");
  ExpectNothingLeftBeside();
}

}  // namespace
}  // namespace mqttrpc
