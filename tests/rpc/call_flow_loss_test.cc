// Both sides of one call where something is lost: frames, a session, messages of which some may be.
#include "call_flow_fixture.h"

namespace mqttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::CallFlowTest;
using test::Fragment;
using test::kIdle;
using test::Side;
using test::Window;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// --- Gaps

TEST_F(CallFlowTest, AGapThatStaysAsksAgainEachSecond) {
  Accept();
  ASSERT_TRUE(caller_.Message(Fragment(1), now_).ok());
  EXPECT_TRUE(Advance(caller_, milliseconds(999)).ok());
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_TRUE(Advance(caller_, milliseconds(1)).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16!"));
  EXPECT_TRUE(Advance(caller_, seconds(1)).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16!", "w:0:16!"));
  ASSERT_TRUE(caller_.Message(Fragment(0), now_).ok());
  EXPECT_TRUE(Advance(caller_, seconds(5)).ok());
  EXPECT_EQ(said_.size(), 2u);
}

TEST_F(CallFlowTest, AGapThatIsClosedInTimeAsksNothing) {
  Accept();
  ASSERT_TRUE(caller_.Message(Fragment(1), now_).ok());
  EXPECT_TRUE(Advance(caller_, milliseconds(500)).ok());
  ASSERT_TRUE(caller_.Message(Fragment(0), now_).ok());
  EXPECT_TRUE(Advance(caller_, seconds(5)).ok());
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(CallFlowTest, APingTellsOfALastFrameThatWasLost) {
  ASSERT_TRUE(responder_.Control(Frame(Frame::Kind::kPing, 1), now_).ok());
  Controls(responder_);
  EXPECT_TRUE(Advance(responder_, seconds(1)).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16!"));
}

TEST_F(CallFlowTest, AnEndWhosePingCameFirstLeavesNoGap) {
  ASSERT_TRUE(responder_.Control(Frame(Frame::Kind::kPing, 1), now_).ok());
  Controls(responder_);
  ASSERT_TRUE(responder_.End(Fragment(0, ""), false, now_).ok());
  EXPECT_TRUE(Advance(responder_, seconds(5)).ok());
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(CallFlowTest, AFrameThatCouldNotBeSentIsSentAgainLater) {
  responder_.sending().Grant(16);
  responder_.sending().Write("a");
  responder_.sending().Take();
  responder_.SendAgainLater(now_);
  EXPECT_TRUE(Advance(responder_, milliseconds(999)).ok());
  EXPECT_FALSE(responder_.sending().HasFragment());
  EXPECT_TRUE(Advance(responder_, milliseconds(1)).ok());
  EXPECT_TRUE(responder_.sending().HasFragment());
}

// --- A lost session

TEST_F(CallFlowTest, AResumedSessionNeedsNothing) {
  Accept();
  caller_.Disconnected(now_);
  caller_.Connected(true, now_);
  EXPECT_THAT(Controls(caller_), IsEmpty());
}

TEST_F(CallFlowTest, AfterALostSessionItAsksForWhatIsMissing) {
  Accept();
  ASSERT_TRUE(caller_.Message(Fragment(0), now_).ok());
  caller_.Disconnected(now_);
  caller_.Connected(false, now_);
  EXPECT_THAT(Controls(caller_), ElementsAre("w:1:16!"));
}

TEST_F(CallFlowTest, WhoIsAskedSendsAgainAllThatIsNotAcknowledged) {
  responder_.sending().Grant(16);
  for (const char* text : {"a", "b", "c"}) responder_.sending().Write(text);
  while (responder_.sending().HasFragment()) responder_.sending().Take();
  ASSERT_TRUE(responder_.Control(Window(1, 17, true), now_).ok());
  EXPECT_EQ(responder_.sending().Take().sequence, 1u);
  EXPECT_EQ(responder_.sending().Take().sequence, 2u);
  EXPECT_FALSE(responder_.sending().HasFragment());
  // Its accept and its windows may be lost too.
  EXPECT_THAT(Controls(responder_), ElementsAre("a:16", "w:0:16"));
}

TEST_F(CallFlowTest, ACallerThatIsAskedHasNothingToAccept) {
  Accept();
  ASSERT_TRUE(caller_.Control(Window(0, 16, true), now_).ok());
  EXPECT_THAT(Controls(caller_), ElementsAre("w:0:16"));
}

TEST_F(CallFlowTest, WithoutAConnectionNothingIsSaid) {
  responder_.Disconnected(now_);
  responder_.OweAccept();
  ASSERT_TRUE(responder_.Control(Frame(Frame::Kind::kPing, 0), now_).ok());
  EXPECT_THAT(Controls(responder_), IsEmpty());
  responder_.Connected(true, now_);
  EXPECT_THAT(Controls(responder_), ElementsAre("a:16", "w:0:16", "q:0"));
}

// A connection that is away is no sign that the other side is.
TEST_F(CallFlowTest, ADisconnectedCallHasTheGraceTimeAgain) {
  Accept();
  EXPECT_TRUE(Advance(caller_, 2 * kIdle).ok());
  caller_.Disconnected(now_);
  EXPECT_TRUE(Advance(caller_, 3 * kIdle - milliseconds(1)).ok());
  caller_.Disconnected(now_);  // Another attempt failed: that gives no more.
  const absl::Status status = Advance(caller_, milliseconds(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("not connected for 30000 ms"));
}

TEST_F(CallFlowTest, AnOpeningFrameThatWaitedForAConnectionHasItsPatienceAgain) {
  caller_.Opened(now_, seconds(6));
  EXPECT_TRUE(Advance(caller_, seconds(5)).ok());
  caller_.Disconnected(now_);
  EXPECT_TRUE(Advance(caller_, seconds(5)).ok());
  caller_.Connected(true, now_);
  EXPECT_TRUE(Advance(caller_, milliseconds(5'999)).ok());
  EXPECT_EQ(Advance(caller_, milliseconds(1)).code(), absl::StatusCode::kUnavailable);
}

// Its opening frame has arrived, perhaps; the accept has not.
TEST_F(CallFlowTest, BackFromAnAbsenceACallerAsksAgainForItsAccept) {
  caller_.Opened(now_, seconds(6));
  EXPECT_TRUE(Advance(caller_, seconds(4)).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16!"));
  caller_.Disconnected(now_);
  EXPECT_TRUE(Advance(caller_, seconds(12)).ok());
  caller_.Connected(true, now_);
  EXPECT_TRUE(Advance(caller_, milliseconds(2'999)).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16!"));
  EXPECT_TRUE(Advance(caller_, milliseconds(1)).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16!", "w:0:16!"));
}

// --- Messages that may be lost

TEST_F(CallFlowTest, AWriterThatMayLoseSaysWhatItSentWhenItHasNoRoom) {
  CallFlow responder(Side(false, false), now_);
  responder.sending().set_room(100);
  responder.sending().Grant(1);
  responder.sending().Write("a");
  responder.sending().Take();
  responder.Written(now_);
  EXPECT_TRUE(Advance(responder, seconds(1)).ok());
  EXPECT_THAT(said_, IsEmpty());
  responder.sending().Write("b");
  responder.Written(now_);
  EXPECT_TRUE(Advance(responder, milliseconds(100)).ok());
  EXPECT_THAT(said_, ElementsAre("q:1"));
  ASSERT_TRUE(responder.Control(Window(1, 17), now_).ok());
  responder.Written(now_);
  said_.clear();
  EXPECT_TRUE(Advance(responder, seconds(1)).ok());
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(CallFlowTest, AReaderThatMayLoseGivesRoomForWhatItNeverGot) {
  CallFlow caller(Side(true, false), now_);
  caller.Heard(now_);
  ASSERT_TRUE(caller.Control(Frame(Frame::Kind::kPong, 16), now_).ok());
  EXPECT_THAT(Controls(caller), ElementsAre("w:16:32"));
  EXPECT_EQ(caller.receiving().lost(), 16u);
}

TEST_F(CallFlowTest, ALossAsksForNothing) {
  CallFlow caller(Side(true, false), now_);
  caller.Heard(now_);
  ASSERT_TRUE(caller.Message(Fragment(3), now_).ok());
  EXPECT_TRUE(Advance(caller, seconds(5)).ok());
  EXPECT_THAT(said_, IsEmpty());
}

}  // namespace
}  // namespace mqttrpc
