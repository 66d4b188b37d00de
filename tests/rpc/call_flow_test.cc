// Both sides of one call: windows, pings, who is still there, and what a lost session costs.
#include "call_flow.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr seconds kIdle{10};

FlowOptions Side(bool caller, bool reliable = true) {
  FlowOptions options;
  options.caller = caller;
  options.sends_reliably = options.receives_reliably = reliable;
  options.limits.frames = 16;
  options.idle = kIdle;
  return options;
}

Frame Window(std::uint64_t next, std::uint64_t limit, bool again = false) {
  Frame frame(Frame::Kind::kWindow, next);
  frame.limit = limit;
  frame.again = again;
  return frame;
}

FragmentIn Fragment(std::uint64_t sequence, std::string_view payload = "x") {
  FragmentIn fragment;
  fragment.sequence = sequence;
  fragment.payload = payload;
  return fragment;
}

class CallFlowTest : public testing::Test {
 protected:
  void SetUp() override {
    caller_.sending().set_room(100);
    responder_.sending().set_room(100);
  }

  // What it owes.
  static std::vector<std::string> Controls(CallFlow& flow) {
    std::vector<std::string> all;
    while (const auto frame = flow.TakeControl()) all.push_back(frame->Text());
    return all;
  }
  void Accept(std::uint64_t limit = 16) {
    caller_.Heard(now_);
    caller_.Accepted(limit);
  }
  // Time passes; what is due happens when it is. Stops at the first error.
  absl::Status Advance(CallFlow& flow, mqtt::Duration step) {
    const mqtt::TimePoint until = now_ + step;
    while (flow.WakeAt() <= until) {
      now_ = std::max(now_, flow.WakeAt());
      if (absl::Status status = flow.TimeIs(now_); !status.ok()) return status;
      const std::vector<std::string> controls = Controls(flow);
      said_.insert(said_.end(), controls.begin(), controls.end());
      if (flow.WakeAt() <= now_) return absl::InternalError("it wakes for nothing");
    }
    now_ = until;
    return absl::OkStatus();
  }

  mqtt::TimePoint now_{std::chrono::hours(1)};
  CallFlow caller_{Side(true), now_};
  CallFlow responder_{Side(false), now_};
  std::vector<std::string> said_;
};

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

TEST_F(CallFlowTest, AFrameThatWasNotTakenIsSentAgainLater) {
  responder_.sending().Grant(16);
  responder_.sending().Write("a");
  responder_.sending().Take();
  responder_.NotTaken(now_);
  EXPECT_TRUE(Advance(responder_, milliseconds(999)).ok());
  EXPECT_FALSE(responder_.sending().HasFragment());
  EXPECT_TRUE(Advance(responder_, milliseconds(1)).ok());
  EXPECT_TRUE(responder_.sending().HasFragment());
}

TEST_F(CallFlowTest, ASilenceThatHasALimitOfItsOwnIsNamedByIt) {
  FlowOptions options = Side(false);
  options.idle = {};
  CallFlow responder(options, now_);
  responder.LimitSilence(seconds(30), now_);
  EXPECT_TRUE(Advance(responder, milliseconds(29'999)).ok());
  EXPECT_THAT(Advance(responder, milliseconds(1)).message(), HasSubstr("for 30000 ms"));
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
