// When a call that failed is tried again, and when it must not be.
#include "call_table_fixture.h"
#include "status_wire.h"

namespace mqttrpc {
namespace {

using std::chrono::milliseconds;
using test::CallTableTest;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kSet = 0;  // May run once at most.
constexpr int kGet = 1;  // Bears to be run twice.

class RetryTest : public CallTableTest {
 protected:
  RetryTest() {
    Connect();
    TakeLog();
    policy_.maximum_attempts = 3;
  }

  std::shared_ptr<PendingCall> BeginWithRetry(int method, bool waits_for_ready = false,
                                              milliseconds timeout = milliseconds(60'000)) {
    auto call = Make(method, timeout);
    call->retry = std::make_unique<RetryState>(*call, policy_, waits_for_ready);
    table_.Begin(call, now_);
    return call;
  }
  // The responder's answer to the last attempt.
  void Answer(PendingCall& call, absl::Status status, Outcome outcome) {
    SetOutcome(status, outcome);
    if (call.unacknowledged) Acknowledge(call);
    table_.Answered(call, std::move(status));
  }

  RetryPolicy policy_;
};

TEST_F(RetryTest, WhatWasNotExecutedIsTriedAgainAfterTheBackOff) {
  const auto call = BeginWithRetry(kSet);
  Acknowledge(*call);
  Answer(*call, absl::UnavailableError("stopping"), Outcome::kNotExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("send 1 attempt 1"));
  Advance(milliseconds(199));
  EXPECT_THAT(TakeLog(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(TakeLog(), ElementsAre("send 1 attempt 2"));
  Answer(*call, absl::OkStatus(), Outcome::kExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 OK"));
  EXPECT_EQ(table_.Next(), mqtt::kNever);
}

TEST_F(RetryTest, TheBackOffGrowsAndTheAttemptsEnd) {
  const auto call = BeginWithRetry(kGet);
  Answer(*call, absl::UnavailableError("1"), Outcome::kExecuted);
  Advance(milliseconds(200));
  Answer(*call, absl::UnavailableError("2"), Outcome::kExecuted);
  TakeLog();
  Advance(milliseconds(399));
  EXPECT_THAT(TakeLog(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(TakeLog(), ElementsAre("send 1 attempt 3"));
  Answer(*call, absl::UnavailableError("3"), Outcome::kExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 UNAVAILABLE"));
}

TEST_F(RetryTest, WhatMayHaveRunIsTriedAgainOnlyIfTheMethodBearsIt) {
  const auto set = BeginWithRetry(kSet);
  const auto get = BeginWithRetry(kGet);
  TakeLog();
  Answer(*set, absl::UnavailableError("?"), Outcome::kPerhaps);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 UNAVAILABLE"));
  Answer(*get, absl::UnavailableError("?"), Outcome::kPerhaps);
  Advance(milliseconds(200));
  EXPECT_THAT(TakeLog(), ElementsAre("send 2 attempt 2"));
}

TEST_F(RetryTest, OtherCodesEndTheCall) {
  const auto call = BeginWithRetry(kGet);
  TakeLog();
  Answer(*call, absl::NotFoundError("no"), Outcome::kExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 NOT_FOUND"));
}

TEST_F(RetryTest, TheRespondersWaitGoesFirst) {
  const auto call = BeginWithRetry(kSet);
  TakeLog();
  absl::Status full = absl::ResourceExhaustedError("full");
  SetRetryAfter(full, milliseconds(5'000));
  Answer(*call, full, Outcome::kNotExecuted);
  Advance(milliseconds(4'999));
  EXPECT_THAT(TakeLog(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(TakeLog(), ElementsAre("send 1 attempt 2"));
  SetRetryAfter(full, milliseconds(-1));
  Answer(*call, full, Outcome::kNotExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 RESOURCE_EXHAUSTED"));
}

TEST_F(RetryTest, AnAttemptThatCouldNotBeginInTimeIsNotWaitedFor) {
  const auto call = BeginWithRetry(kSet, false, milliseconds(150));
  TakeLog();
  Answer(*call, absl::UnavailableError("stopping"), Outcome::kNotExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 UNAVAILABLE"));
}

TEST_F(RetryTest, WaitForReadyOutlastsTheAttemptsUntilTheDeadline) {
  policy_.maximum_attempts = 1;
  const auto call = BeginWithRetry(kSet, true);
  for (int i = 0; i < 5; ++i) {
    Acknowledge(*call, mqtt::ReasonCode::kNoMatchingSubscribers);
    Advance(milliseconds(4'000));
  }
  EXPECT_EQ(call->attempt, 6);
  Acknowledge(*call, mqtt::ReasonCode::kNoMatchingSubscribers);
  now_ += milliseconds(50'000);
  table_.TimeIs(now_);
  ExpectStatus(*call, absl::StatusCode::kDeadlineExceeded, Outcome::kNotExecuted, "nobody serves");
}

TEST_F(RetryTest, CancellingWhileBackingOffEndsTheCall) {
  const auto call = BeginWithRetry(kSet);
  Answer(*call, absl::UnavailableError("stopping"), Outcome::kNotExecuted);
  TakeLog();
  table_.Cancel(*call);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 CANCELLED"));
  Advance(milliseconds(1'000));
  EXPECT_THAT(TakeLog(), IsEmpty());
}

TEST_F(RetryTest, AResponderThatTurnsUpWhileBackingOffIsTheOne) {
  const auto call = BeginWithRetry(kGet);
  Acknowledge(*call);
  table_.GiveUp(*call, absl::UnavailableError("nobody says a word"));
  TakeLog();
  table_.Accepted(*call);
  Advance(milliseconds(10'000));
  EXPECT_THAT(TakeLog(), IsEmpty());
  Answer(*call, absl::OkStatus(), Outcome::kExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 OK"));
}

TEST_F(RetryTest, WhoIsGivenUpAndTriedAgainIsNotToldToStop) {
  const auto call = BeginWithRetry(kGet);
  Acknowledge(*call);
  TakeLog();
  table_.GiveUp(*call, absl::UnavailableError("nobody says a word"));
  EXPECT_THAT(TakeLog(), IsEmpty());
  Advance(milliseconds(200));
  EXPECT_THAT(TakeLog(), ElementsAre("send 1 attempt 2"));
}

TEST_F(RetryTest, AHedgedCallThatIsGivenUpWaitsForNoOtherAttempt) {
  policy_.hedging_delay = milliseconds(50);
  policy_.maximum_attempts = 2;
  const auto call = BeginWithRetry(kGet);
  Advance(milliseconds(50));
  TakeLog();
  table_.GiveUp(*call, absl::UnavailableError("nobody says a word"));
  EXPECT_THAT(TakeLog(), testing::Contains("complete 1 UNAVAILABLE"));
}

TEST_F(RetryTest, AHedgeGoesOutBesideTheFirstAttempt) {
  policy_.hedging_delay = milliseconds(50);
  const auto call = BeginWithRetry(kGet);
  Acknowledge(*call);
  Advance(milliseconds(50));
  Advance(milliseconds(50));
  Advance(milliseconds(500));
  EXPECT_THAT(TakeLog(), ElementsAre("send 1 attempt 1", "send 1 attempt 2", "send 1 attempt 3"));
  Answer(*call, absl::OkStatus(), Outcome::kExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("cancel 1", "complete 1 OK"));
}

TEST_F(RetryTest, AHedgedCallFailsWithItsLastAttemptOnly) {
  policy_.hedging_delay = milliseconds(50);
  policy_.maximum_attempts = 2;
  const auto call = BeginWithRetry(kGet);
  Advance(milliseconds(50));
  TakeLog();
  Answer(*call, absl::UnavailableError("1"), Outcome::kExecuted);
  EXPECT_THAT(TakeLog(), IsEmpty());
  Answer(*call, absl::UnavailableError("2"), Outcome::kExecuted);
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 UNAVAILABLE"));
}

TEST_F(RetryTest, WhatMustNotRunTwiceIsNotHedged) {
  policy_.hedging_delay = milliseconds(50);
  const auto call = BeginWithRetry(kSet);
  Advance(milliseconds(500));
  EXPECT_THAT(TakeLog(), ElementsAre("send 1 attempt 1"));
}

TEST(RetryTokensTest, HalfAnEmptyBucketStopsRetries) {
  RetryThrottle throttle;
  throttle.maximum_tokens = 4;
  throttle.token_ratio = 0.5;
  RetryTokens tokens(throttle);
  tokens.Failed();
  EXPECT_TRUE(tokens.allows());
  tokens.Failed();
  EXPECT_FALSE(tokens.allows());
  tokens.Succeeded();
  EXPECT_TRUE(tokens.allows());
  EXPECT_TRUE(RetryTokens(RetryThrottle()).allows());
}

TEST(BackoffTest, StaysWithinItsBounds) {
  RetryPolicy policy;
  EXPECT_EQ(BackoffOf(policy, 1, 0.0), milliseconds(160));
  EXPECT_EQ(BackoffOf(policy, 1, 0.5), milliseconds(200));
  EXPECT_EQ(BackoffOf(policy, 3, 0.5), milliseconds(800));
  EXPECT_EQ(BackoffOf(policy, 90, 0.5), milliseconds(10'000));
}

TEST(RetryPolicyTest, ValuesOutOfRangeAreNamed) {
  RetryPolicy policy;
  EXPECT_TRUE(CheckRetryPolicy(policy).ok());
  policy.maximum_attempts = 101;
  EXPECT_THAT(CheckRetryPolicy(policy).message(), testing::HasSubstr("maximum_attempts is 101"));
  policy = RetryPolicy();
  policy.multiplier = 0.5;
  EXPECT_FALSE(CheckRetryPolicy(policy).ok());
  policy = RetryPolicy();
  policy.maximum_backoff = milliseconds(1);
  EXPECT_FALSE(CheckRetryPolicy(policy).ok());
}

}  // namespace
}  // namespace mqttrpc
