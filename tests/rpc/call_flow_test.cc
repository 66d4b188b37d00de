// Both sides of one call: opening, pings, windows, the end, and the two of them face to face.
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

// --- Opening

TEST_F(CallFlowTest, TheResponderAcceptsWhenItOwesIt) {
  EXPECT_THAT(Controls(responder_), IsEmpty());
  responder_.OweAccept();
  EXPECT_THAT(Controls(responder_), ElementsAre("a:16"));
  EXPECT_THAT(Controls(responder_), IsEmpty());
}

TEST_F(CallFlowTest, TheResponderAcceptsLaterIfItIsStillAtWork) {
  responder_.OweAcceptAt(now_ + seconds(5));
  EXPECT_TRUE(Advance(responder_, milliseconds(4'999)).ok());
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_TRUE(Advance(responder_, milliseconds(1)).ok());
  EXPECT_THAT(said_, ElementsAre("a:16"));
}

TEST_F(CallFlowTest, NobodyAcceptsIsUnavailable) {
  caller_.Opened(now_, seconds(6));
  EXPECT_EQ(caller_.WakeAt(), now_ + seconds(3));  // Asks once more: the accept may be lost.
  EXPECT_TRUE(Advance(caller_, seconds(3)).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16!"));
  EXPECT_TRUE(Advance(caller_, milliseconds(2'999)).ok());
  const absl::Status status = Advance(caller_, milliseconds(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("6000 ms"));
}

TEST_F(CallFlowTest, AnyFrameOfTheResponderIsAnAccept) {
  caller_.Opened(now_, seconds(6));
  EXPECT_FALSE(caller_.accepted());
  caller_.Heard(now_);
  EXPECT_TRUE(caller_.accepted());
  EXPECT_TRUE(Advance(caller_, seconds(7)).ok());
}

TEST_F(CallFlowTest, AnAcceptConfirmsTheMessageInTheOpeningFrame) {
  FlowOptions options = Side(true);
  options.opens_with_message = true;
  CallFlow caller(options, now_);
  caller.sending().set_room(4);
  caller.sending().Write("abcdefgh");
  caller.sending().Grant(1);
  caller.sending().Take();
  EXPECT_FALSE(caller.sending().HasFragment());
  caller.Heard(now_);
  caller.Accepted(16);
  EXPECT_EQ(caller.sending().bytes(), 4u);
  EXPECT_EQ(caller.sending().Take().sequence, 1u);
}

// --- Pings

TEST_F(CallFlowTest, TheCallerPingsOnceItIsAccepted) {
  caller_.Opened(now_, seconds(6));
  Accept();
  EXPECT_TRUE(Advance(caller_, kIdle - milliseconds(1)).ok());
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_TRUE(Advance(caller_, milliseconds(1)).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16", "p:0"));
  caller_.Heard(now_);
  EXPECT_TRUE(Advance(caller_, kIdle).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16", "p:0", "w:0:16", "p:0"));
}

TEST_F(CallFlowTest, APingIsAnsweredWithAWindowAndAPong) {
  ASSERT_TRUE(responder_.Control(Frame(Frame::Kind::kPing, 0), now_).ok());
  EXPECT_THAT(Controls(responder_), ElementsAre("w:0:16", "q:0"));
}

TEST_F(CallFlowTest, APingSaysHowManyFramesWereSentTheEndIncluded) {
  Accept();
  caller_.sending().Write("x");
  caller_.sending().Write("y");
  caller_.sending().Take();
  EXPECT_TRUE(Advance(caller_, kIdle).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16", "p:1"));  // The other one is not sent yet.
  caller_.sending().End();
  caller_.sending().Take();
  caller_.sending().Take();
  caller_.Heard(now_);
  said_.clear();
  EXPECT_TRUE(Advance(caller_, kIdle).ok());
  EXPECT_THAT(said_, ElementsAre("w:0:16", "p:3"));
}

TEST_F(CallFlowTest, ThreePingsWithoutAWordAreTheEnd) {
  Accept();
  EXPECT_TRUE(Advance(caller_, 3 * kIdle - milliseconds(1)).ok());
  const absl::Status status = Advance(caller_, milliseconds(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("30000 ms"));
}

TEST_F(CallFlowTest, TheResponderNoticesADeadCallerInTheSameTime) {
  EXPECT_TRUE(Advance(responder_, 3 * kIdle - milliseconds(1)).ok());
  responder_.Heard(now_);
  EXPECT_TRUE(Advance(responder_, 3 * kIdle - milliseconds(1)).ok());
  EXPECT_EQ(Advance(responder_, milliseconds(1)).code(), absl::StatusCode::kUnavailable);
}

TEST_F(CallFlowTest, ACallerThatDoesNotPingIsNeverDead) {
  FlowOptions options = Side(false);
  options.idle = {};
  CallFlow responder(options, now_);
  EXPECT_EQ(responder.WakeAt(), mqtt::kNever);
  responder.Heard(now_);
  EXPECT_EQ(responder.WakeAt(), mqtt::kNever);
}

TEST_F(CallFlowTest, ASilenceThatHasALimitOfItsOwnIsNamedByIt) {
  FlowOptions options = Side(false);
  options.idle = {};
  CallFlow responder(options, now_);
  responder.LimitSilence(seconds(30), now_);
  EXPECT_TRUE(Advance(responder, milliseconds(29'999)).ok());
  EXPECT_THAT(Advance(responder, milliseconds(1)).message(), HasSubstr("for 30000 ms"));
}

// --- Windows

TEST_F(CallFlowTest, TakingHalfOfTheWindowTellsIt) {
  for (std::uint64_t i = 0; i < 16; ++i) ASSERT_TRUE(caller_.Message(Fragment(i), now_).ok());
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(caller_.receiving().TakeMessage()->has_value());
    caller_.Taken();
  }
  EXPECT_THAT(Controls(caller_), IsEmpty());
  ASSERT_TRUE(caller_.receiving().TakeMessage()->has_value());
  caller_.Taken();
  EXPECT_THAT(Controls(caller_), ElementsAre("w:16:24"));
}

TEST_F(CallFlowTest, NoWindowIsToldAfterTheEnd) {
  for (std::uint64_t i = 0; i < 16; ++i) ASSERT_TRUE(caller_.Message(Fragment(i), now_).ok());
  ASSERT_TRUE(caller_.End(Fragment(16, ""), false, now_).ok());
  while (caller_.receiving().TakeMessage()->has_value()) caller_.Taken();
  EXPECT_THAT(Controls(caller_), IsEmpty());
}

TEST_F(CallFlowTest, AWindowThatContradictsItselfEndsTheCall) {
  EXPECT_EQ(responder_.Control(Window(1, 16), now_).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(caller_.Control(Window(0, 16), now_).code(), absl::StatusCode::kOk);
}

TEST_F(CallFlowTest, FramesThatMeanNothingHereEndTheCall) {
  for (const char* text : {"o:16", "a:16", "m:0", "e:0", "c"}) {
    const absl::Status status = caller_.Control(*ParseFrame(text), now_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << text;
    EXPECT_THAT(status.message(), HasSubstr(text));
  }
}

// Twice as much as fits is written; the reader, whose window is large, sees no need to tell what it has.
TEST_F(CallFlowTest, WhoKeepsTooMuchSaysWhatItSentAndIsToldWhatCame) {
  responder_.sending().Grant(16);
  responder_.sending().set_most_kept_bytes(200);
  for (int i = 0; i < 4; ++i) responder_.sending().Write(std::string(100, 'x'));
  for (int i = 0; i < 2; ++i) {
    const FragmentOut fragment = responder_.sending().Take();
    ASSERT_TRUE(caller_.Message(Fragment(fragment.sequence, fragment.payload()), now_).ok());
  }
  ASSERT_FALSE(responder_.sending().HasFragment());
  responder_.Written(now_);
  EXPECT_TRUE(Advance(responder_, milliseconds(249)).ok());
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_TRUE(Advance(responder_, milliseconds(1)).ok());
  EXPECT_THAT(said_, ElementsAre("q:2"));
  Accept();
  ASSERT_TRUE(caller_.Control(Frame(Frame::Kind::kPong, 2), now_).ok());
  EXPECT_THAT(Controls(caller_), ElementsAre("w:2:16"));
  ASSERT_TRUE(caller_.Control(Frame(Frame::Kind::kPong, 2), now_).ok());
  EXPECT_THAT(Controls(caller_), IsEmpty()) << "it was told";
  ASSERT_TRUE(responder_.Control(Window(2, 16), now_).ok());
  EXPECT_TRUE(responder_.sending().HasFragment());
}

// --- The end

TEST_F(CallFlowTest, AResponderThatHasEndedLingersForTheConfirmation) {
  responder_.sending().Grant(16);
  responder_.sending().End();
  responder_.sending().Take();
  responder_.Linger(now_);
  EXPECT_TRUE(responder_.lingers());
  EXPECT_TRUE(Advance(responder_, milliseconds(29'999)).ok());
  ASSERT_TRUE(responder_.Control(Window(1, 16), now_).ok());
  EXPECT_TRUE(responder_.sending().acknowledged());
}

TEST_F(CallFlowTest, ALingeringResponderGoesAfterAWhile) {
  FlowOptions options = Side(false);
  options.idle = {};
  CallFlow responder(options, now_);
  responder.OweAcceptAt(now_ + seconds(5));
  responder.Linger(now_);
  EXPECT_TRUE(Advance(responder, milliseconds(29'999)).ok());
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_FALSE(Advance(responder, milliseconds(1)).ok());
}

TEST_F(CallFlowTest, ALingeringResponderThatIsHeardOfStays) {
  responder_.Linger(now_);
  EXPECT_TRUE(Advance(responder_, seconds(20)).ok());
  responder_.Heard(now_);
  EXPECT_TRUE(Advance(responder_, milliseconds(29'999)).ok());
}

// Nobody reads any more: what is missing may stay missing.
TEST_F(CallFlowTest, ALingeringResponderAsksForNothing) {
  responder_.Linger(now_);
  responder_.receiving().Discard();
  ASSERT_TRUE(responder_.Control(Frame(Frame::Kind::kPing, 1), now_).ok());
  Controls(responder_);
  EXPECT_TRUE(Advance(responder_, seconds(5)).ok());
  EXPECT_THAT(said_, IsEmpty());
}

// --- Two of them, face to face

TEST_F(CallFlowTest, BothSidesGoOnAfterBothLostTheirSessions) {
  Accept();
  responder_.sending().Grant(16);
  for (int i = 0; i < 5; ++i) responder_.sending().Write(std::string(1, static_cast<char>('a' + i)));
  for (int i = 0; i < 3; ++i) caller_.sending().Write(std::string(1, static_cast<char>('A' + i)));
  const auto carry = [&](CallFlow& from, CallFlow& to, bool arrives) {
    while (const auto frame = from.TakeControl()) {
      if (!arrives) continue;
      to.Heard(now_);
      if (frame->kind == Frame::Kind::kAccept) {
        to.Accepted(frame->number);
      } else {
        ASSERT_TRUE(to.Control(*frame, now_).ok()) << frame->Text();
      }
    }
    while (from.sending().HasFragment()) {
      const FragmentOut out = from.sending().Take();
      if (arrives) {
        ASSERT_TRUE(to.Message(Fragment(out.sequence, out.payload()), now_).ok());
      }
    }
  };
  carry(caller_, responder_, false);  // All of it is lost.
  carry(responder_, caller_, false);
  for (CallFlow* each : {&caller_, &responder_}) each->Disconnected(now_);
  for (CallFlow* each : {&caller_, &responder_}) each->Connected(false, now_);
  for (int i = 0; i < 4; ++i) {
    carry(caller_, responder_, true);
    carry(responder_, caller_, true);
  }
  std::string heard;
  while (true) {
    auto message = caller_.receiving().TakeMessage();
    ASSERT_TRUE(message.ok());
    if (!message->has_value()) break;
    heard += **message;
  }
  while (true) {
    auto message = responder_.receiving().TakeMessage();
    ASSERT_TRUE(message.ok());
    if (!message->has_value()) break;
    heard += **message;
  }
  EXPECT_EQ(heard, "abcdeABC");
  EXPECT_THAT(Controls(caller_), IsEmpty());
  EXPECT_THAT(Controls(responder_), IsEmpty());
}

}  // namespace
}  // namespace mqttrpc
