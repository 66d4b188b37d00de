#include "call_table_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/rpc/status.h"

namespace mqttrpc {
namespace {

using mqtt::ReasonCode;
using std::chrono::milliseconds;
using test::CallTableTest;
using test::kMethods;
using test::kService;
using test::kStart;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(CallTableTest, SubscribesOncePerSessionAndSendsAfterItsAcknowledgement) {
  const auto call = Begin();
  EXPECT_THAT(TakeLog(), IsEmpty());
  table_.Connected(false, 100);
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe"));
  table_.InboxSettled(absl::OkStatus());
  EXPECT_THAT(TakeLog(), ElementsAre("send 1 attempt 1"));
  table_.Disconnected("gone");
  table_.Connected(true, 100);
  EXPECT_THAT(TakeLog(), IsEmpty());  // Resumed: nothing to subscribe, nothing to send again.
  Begin();
  EXPECT_THAT(TakeLog(), ElementsAre("send 2 attempt 1"));
}

// A client that resumes the session of an earlier process has not subscribed to this inbox.
TEST_F(CallTableTest, SubscribesInAResumedSessionThatItDidNotSubscribeIn) {
  table_.Connected(true, 100);
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe"));
}

TEST_F(CallTableTest, AnAnswerEndsTheCall) {
  Connect();
  const auto call = Begin();
  Acknowledge(*call);
  EXPECT_EQ(table_.Find(call->correlation_data()), call);
  table_.Answered(*call, absl::OkStatus());
  EXPECT_EQ(table_.Find(call->correlation_data()), nullptr);
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(table_.Next(), mqtt::kNever);
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe", "send 1 attempt 1", "complete 1 OK"));
}

TEST_F(CallTableTest, AnUnknownIdFindsNothing) {
  EXPECT_EQ(table_.Find("short"), nullptr);
  EXPECT_EQ(table_.Find("0123456789abcdef"), nullptr);
}

// An answer may overtake the PUBACK; what is left of the sending is given up.
TEST_F(CallTableTest, AnAnswerBeforeTheAcknowledgementEndsTheCallOnce) {
  Connect();
  const auto call = Begin();
  table_.Answered(*call, absl::OkStatus());
  Acknowledge(*call, ReasonCode::kNoMatchingSubscribers);
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe", "send 1 attempt 1", "abandon 1", "complete 1 OK"));
}

TEST_F(CallTableTest, NobodyThereIsKnownFromTheAcknowledgement) {
  Connect();
  const auto call = Begin();
  Acknowledge(*call, ReasonCode::kNoMatchingSubscribers);
  ExpectStatus(*call, absl::StatusCode::kUnavailable, Outcome::kNotExecuted, "nobody serves acme.Lamp/Set at lamp-1");
}

// The packet may have been delivered before the connection was lost, and be a duplicate now.
TEST_F(CallTableTest, NobodyThereAfterAReconnectMayHaveRun) {
  Connect();
  const auto call = Begin();
  table_.Disconnected("x");
  Connect(true);
  Acknowledge(*call, ReasonCode::kNoMatchingSubscribers);
  ExpectStatus(*call, absl::StatusCode::kUnavailable, Outcome::kPerhaps, "nobody");
}

TEST_F(CallTableTest, WithoutAConnectionTheDeadlineSaysWhy) {
  table_.Disconnected("connection refused");
  const auto call = Begin();
  Advance(milliseconds(999));
  EXPECT_THAT(TakeLog(), IsEmpty());
  Advance(milliseconds(1));
  ExpectStatus(*call, absl::StatusCode::kDeadlineExceeded, Outcome::kNotExecuted,
               "not connected to mqtt://host:1883: connection refused");
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 DEADLINE_EXCEEDED"));  // Nobody to tell.
}

TEST_F(CallTableTest, AfterSendingTheDeadlineTellsTheResponderAndLeavesItOpen) {
  Connect();
  const auto call = Begin();
  Acknowledge(*call);
  TakeLog();
  Advance(milliseconds(1000));
  EXPECT_THAT(TakeLog(), ElementsAre("cancel 1", "complete 1 DEADLINE_EXCEEDED"));
  ExpectStatus(*call, absl::StatusCode::kDeadlineExceeded, Outcome::kPerhaps, "within 1000 ms");
}

TEST_F(CallTableTest, TheCallersCancelTellsTheResponderIfItWasSent) {
  const auto waiting = Begin();
  table_.Cancel(*waiting);
  ExpectStatus(*waiting, absl::StatusCode::kCancelled, Outcome::kNotExecuted, "");
  Connect();
  const auto sent = Begin();
  Acknowledge(*sent);
  TakeLog();
  table_.Cancel(*sent);
  table_.Cancel(*sent);
  EXPECT_THAT(TakeLog(), ElementsAre("cancel 2", "complete 2 CANCELLED"));
  ExpectStatus(*sent, absl::StatusCode::kCancelled, Outcome::kPerhaps, "");
}

TEST_F(CallTableTest, ALostSessionEndsWhatMayHaveRunAndRepeatsWhatMayRunTwice) {
  Connect();
  const auto set = Begin(0);
  const auto get = Begin(1, milliseconds(2000));
  const auto put = Begin(2, milliseconds(1000));
  for (const auto& call : {set, get, put}) Acknowledge(*call);
  TakeLog();
  table_.Disconnected("lost");
  const auto later = Begin(0);
  EXPECT_THAT(TakeLog(), IsEmpty());  // Nothing is decided before the next CONNACK.
  Connect(false);
  ExpectStatus(*set, absl::StatusCode::kUnavailable, Outcome::kPerhaps, "session was lost");
  // Calls end last before the sending: their ends may end the channel.
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe", "complete 1 UNAVAILABLE", "send 3 attempt 2", "send 2 attempt 2",
                                     "send 4 attempt 1"));
}

// Else the client would publish it as a new message.
TEST_F(CallTableTest, AnUnacknowledgedRequestOfALostSessionIsAbandoned) {
  Connect();
  const auto set = Begin(0);
  const auto get = Begin(1);
  TakeLog();
  table_.Disconnected("lost");
  Connect(false);
  std::vector<std::string> log = TakeLog();
  std::sort(log.begin(), log.end());
  EXPECT_THAT(log, ElementsAre("abandon 1", "abandon 2", "complete 1 UNAVAILABLE", "send 2 attempt 2", "subscribe"));
  // The first sendings end late, and change nothing.
  table_.SendingEnded(*set, 1, absl::CancelledError(""));
  table_.SendingEnded(*get, 1, absl::CancelledError(""));
  EXPECT_THAT(TakeLog(), IsEmpty());
  Acknowledge(*get);
  table_.Answered(*get, absl::OkStatus());
  EXPECT_THAT(TakeLog(), ElementsAre("complete 2 OK"));
}

TEST_F(CallTableTest, AResumedSessionKeepsWaiting) {
  Connect();
  const auto call = Begin();
  Acknowledge(*call);
  TakeLog();
  table_.Disconnected("blip");
  Connect(true);
  EXPECT_THAT(TakeLog(), IsEmpty());
  table_.Answered(*call, absl::OkStatus());
  EXPECT_THAT(TakeLog(), ElementsAre("complete 1 OK"));
}

TEST_F(CallTableTest, SendsNoMoreThanTheBrokerTakesUnacknowledged) {
  Connect(false, 2);
  const auto first = Begin();
  const auto second = Begin();
  const auto third = Begin();
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe", "send 1 attempt 1", "send 2 attempt 1"));
  Acknowledge(*first);
  EXPECT_THAT(TakeLog(), ElementsAre("send 3 attempt 1"));
  Advance(milliseconds(1000));
  ExpectStatus(*third, absl::StatusCode::kDeadlineExceeded, Outcome::kPerhaps, "no answer");
}

TEST_F(CallTableTest, WaitingForTheBrokersWindowIsSaidAtTheDeadline) {
  Connect(false, 1);
  Begin();
  const auto second = Begin();
  Advance(milliseconds(1000));
  ExpectStatus(*second, absl::StatusCode::kDeadlineExceeded, Outcome::kNotExecuted, "has not acknowledged 1 earlier");
}

TEST_F(CallTableTest, MoreCallsThanTheMaximumFailAtOnce) {
  for (int i = 0; i < 10; ++i) Begin();
  const auto call = Begin();
  ExpectStatus(*call, absl::StatusCode::kResourceExhausted, Outcome::kNotExecuted, "10 calls");
}

TEST_F(CallTableTest, ARefusedInboxFailsCallsThatWantAnAnswer) {
  const auto waiting = Begin();
  auto one_way = Make();
  one_way->options.one_way = true;
  table_.Begin(one_way, now_);
  table_.Connected(false, 100);
  table_.InboxSettled(mqtt::StatusFrom(ReasonCode::kNotAuthorized, "rpc1/r/me/x"));
  ExpectStatus(*waiting, absl::StatusCode::kPermissionDenied, Outcome::kNotExecuted, "inbox");
  const auto later = Begin();
  ExpectStatus(*later, absl::StatusCode::kPermissionDenied, Outcome::kNotExecuted, "inbox");
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe", "complete 1 PERMISSION_DENIED", "send 2 attempt 1",
                                     "complete 3 PERMISSION_DENIED"));
  table_.Disconnected("x");
  Connect(true);  // The next connection asks again.
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe"));
}

TEST_F(CallTableTest, AnInboxThatWasNotSettledIsAskedForAgain) {
  const auto call = Begin();
  table_.Connected(false, 100);
  table_.Disconnected("x");
  table_.InboxSettled(absl::CancelledError("client disconnected"));
  TakeLog();
  Connect(false);
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe", "send 1 attempt 1"));
}

TEST_F(CallTableTest, AOneWayCallEndsWhenTheBrokerTookIt) {
  Connect();
  auto call = Make();
  call->options.one_way = true;
  table_.Begin(call, now_);
  Acknowledge(*call);
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe", "send 1 attempt 1", "complete 1 OK"));
}

TEST_F(CallTableTest, WhatTheBrokerOrTheClientDoesNotTakeWasNotExecuted) {
  Connect();
  const auto denied = Begin();
  table_.SendingEnded(*denied, 1, mqtt::StatusFrom(ReasonCode::kNotAuthorized, "x"));
  ExpectStatus(*denied, absl::StatusCode::kPermissionDenied, Outcome::kNotExecuted, "");
  const auto large = Begin();
  table_.SendingEnded(*large, 1, mqtt::StatusFrom(ReasonCode::kPacketTooLarge, "x"));
  ExpectStatus(*large, absl::StatusCode::kResourceExhausted, Outcome::kNotExecuted, "");
  const auto ended = Begin();
  table_.SendingEnded(*ended, 1, absl::CancelledError("disconnected"));
  ExpectStatus(*ended, absl::StatusCode::kUnavailable, Outcome::kPerhaps, "");
}

TEST_F(CallTableTest, TheEndOfTheChannelEndsEveryCall) {
  Connect();
  const auto sent = Begin();
  Acknowledge(*sent);
  table_.Disconnected("x");
  const auto waiting = Begin();
  table_.EndAll(absl::CancelledError("channel is gone"));
  ExpectStatus(*sent, absl::StatusCode::kCancelled, Outcome::kPerhaps, "channel");
  ExpectStatus(*waiting, absl::StatusCode::kCancelled, Outcome::kNotExecuted, "channel");
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(CallTableTest, ACallMayBeginWhereAnotherEnds) {
  Connect();
  const auto first = Begin();
  Acknowledge(*first);
  std::shared_ptr<PendingCall> second;
  then_ = [&] { second = Begin(); };
  Advance(milliseconds(1000));
  EXPECT_THAT(TakeLog(), ElementsAre("subscribe", "send 1 attempt 1", "cancel 1", "complete 1 DEADLINE_EXCEEDED",
                                     "send 2 attempt 1"));
}

}  // namespace
}  // namespace mqttrpc
