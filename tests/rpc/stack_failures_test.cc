// Cancellation, deadlines, lost connections, drain: calls that do not go well.
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::EchoService;
using test::kEcho;
using test::kEchoMethods;
using test::milliseconds;
using test::Question;
using test::Reply;
using test::Result;
using test::seconds;
using test::StackTest;
using test::UserProperty;
using testing::HasSubstr;
using testing::SizeIs;

CallOptions Within(milliseconds timeout) {
  CallOptions options;
  options.timeout = timeout;
  return options;
}

class FailureTest : public StackTest {
 protected:
  // A coroutine that waits until it is cancelled, and says what it saw.
  void ServeForEver(ServerOptions options = ServerOptions()) {
    const auto handler = [this](ServerContext& context, const Question&) -> EchoService::Coroutine {
      log_of_handler_ += "begin ";
      context.OnCancel([this] { log_of_handler_ += "told "; });
      asio::steady_timer timer(context.executor(), asio::steady_timer::time_point::max());
      auto token = asio::experimental::as_tuple(asio::use_awaitable);
      const auto [error] = co_await timer.async_wait(token);
      log_of_handler_ += error == asio::error::operation_aborted ? "aborted " : "?";
      log_of_handler_ += context.cancelled() ? "cancelled" : "?";
      co_return Reply();
    };
    service_.coroutine = handler;
    Serve(options);
    Open();
    Spy();
  }
  // Takes calls and leaves them open.
  void ServeOpen() {
    service_.raw = [this](ServerCall call) { open_.push_back(std::move(call)); };
    ServeAndOpen();
  }
  void AnswerOpenCall(std::size_t index = 0) {
    Reply reply;
    reply.set_text("done");
    open_.at(index).Finish(absl::OkStatus(), &reply);
    Run();
  }
  ~FailureTest() override { open_.clear(); }

  std::string log_of_handler_;
  std::vector<ServerCall> open_;
};

TEST_F(FailureTest, TheCallersCancelReachesTheHandler) {
  ServeForEver();
  asio::cancellation_signal cancel;
  std::optional<absl::StatusOr<Reply>> result;
  channel_->Call<Reply>(kEcho, kEchoMethods[0], "dev-1", Ask("x"), CallOptions(),
                        asio::bind_cancellation_slot(
                            cancel.slot(), [&](absl::StatusOr<Reply> reply) { result.emplace(std::move(reply)); }));
  Run();
  EXPECT_EQ(log_of_handler_, "begin ");
  cancel.emit(asio::cancellation_type::terminal);
  Run();
  EXPECT_EQ(log_of_handler_, "begin told aborted cancelled");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(OutcomeOf(result->status()), Outcome::kPerhaps);
  const auto cancels = Seen("rpc1/q/mqttrpc.test.Echo/dev-1/-cancel/me");
  ASSERT_THAT(cancels, SizeIs(1));
  EXPECT_EQ(UserProperty(cancels[0], "rpc-f"), "c");
  // The responder ends with CANCELLED, which comes too late for us.
  ASSERT_THAT(Seen("rpc1/r/"), SizeIs(1));
  EXPECT_EQ(UserProperty(Seen("rpc1/r/")[0], "rpc-status"), "1");
  EXPECT_EQ(server_->running_calls(), 0u);
}

TEST_F(FailureTest, AnAwaitedCallIsCancelledByItsCoroutine) {
  ServeForEver();
  asio::cancellation_signal cancel;
  std::string log;
  const auto run = [&]() -> asio::awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    const Question question = Ask("x");
    const CallOptions options;
    auto reply = co_await channel_->Call<Reply>(kEcho, kEchoMethods[0], "dev-1", question, options, DefaultToken());
    log = reply.status().ToString();
  };
  asio::co_spawn(world_.io(), run(), asio::bind_cancellation_slot(cancel.slot(), asio::detached));
  Run();
  cancel.emit(asio::cancellation_type::terminal);
  Run();
  EXPECT_THAT(log, HasSubstr("CANCELLED"));
  EXPECT_EQ(log_of_handler_, "begin told aborted cancelled");
}

TEST_F(FailureTest, TheDeadlineEndsBothSidesByTheirOwnClocks) {
  ServeForEver();
  const Result result = Call(Ask("x"), Within(milliseconds(300)));
  clock_.Advance(milliseconds(299));
  EXPECT_FALSE(result->has_value());
  EXPECT_EQ(log_of_handler_, "begin ");
  clock_.Advance(milliseconds(1));
  Run();
  ExpectError(result, absl::StatusCode::kDeadlineExceeded, Outcome::kPerhaps, false, "within 300 ms");
  EXPECT_EQ(log_of_handler_, "begin told aborted cancelled");
  EXPECT_THAT(Seen("rpc1/r/"), SizeIs(0));  // Nothing is sent after the deadline.
  EXPECT_THAT(Seen("rpc1/q/mqttrpc.test.Echo/dev-1/-cancel/"), SizeIs(1));
}

TEST_F(FailureTest, WithoutConnectionTheDeadlineSaysWhy) {
  world_.faults().Refuse("me");
  caller_ = &MakeClient("me");
  Open();
  const Result result = Call(Ask("x"), Within(seconds(3)));
  clock_.Advance(seconds(3));
  ExpectError(result, absl::StatusCode::kDeadlineExceeded, Outcome::kNotExecuted, false,
              "not connected to mqtt://127.0.0.1:1883: ");
  EXPECT_THAT((*result)->status().message(), HasSubstr("connection refused"));
}

TEST_F(FailureTest, ACallWaitsForTheConnectionAndGoesWithTheTimeLeft) {
  Serve();
  Spy();
  world_.faults().Refuse("me");
  caller_ = &MakeClient("me");
  Open();
  const Result result = Call(Ask("x"), Within(seconds(60)));
  clock_.Advance(seconds(2));
  world_.faults().Accept("me");
  clock_.Advance(seconds(40));
  ExpectOk(result, "x");
  ASSERT_THAT(Seen("rpc1/q/"), SizeIs(1));
  const int left = std::stoi(UserProperty(Seen("rpc1/q/")[0], "rpc-tmo"));
  EXPECT_LT(left, 58'001);
  EXPECT_GT(left, 0);
}

TEST_F(FailureTest, ALostSessionLeavesOpenWhatMayHaveRun) {
  ServeOpen();
  const Result result = Call(Ask("x"), Within(seconds(600)));
  Run();
  RestartBroker();
  clock_.Advance(seconds(60));
  ExpectError(result, absl::StatusCode::kUnavailable, Outcome::kPerhaps, false, "session was lost");
  EXPECT_EQ(service_.calls, 1);
}

TEST_F(FailureTest, ALostSessionRepeatsWhatMayRunTwiceAndTheCacheAnswers) {
  ServeOpen();
  const Result result = Call(Ask("x"), Within(seconds(600)), "dev-1", kEchoMethods[1]);
  Run();
  RestartBroker();
  AnswerOpenCall();  // Into the void.
  Spy();
  clock_.Advance(seconds(60));
  ExpectOk(result, "done");
  EXPECT_EQ(service_.calls, 1);  // The same call id: answered from the cache.
  const auto again = Seen("rpc1/q/mqttrpc.test.Echo/dev-1/Get/");
  for (const mqtt::Message& each : again) EXPECT_EQ(UserProperty(each, "rpc-att"), "2");
}

// The client alone would publish it as a new message, and another pool member might run it.
TEST_F(FailureTest, AnUnacknowledgedRequestOfALostSessionIsNotSentAgain) {
  ServeAndOpen();
  auto swallowing = world_.faults().From("me").Every().Drop();
  const Result result = Call(Ask("x"), Within(seconds(600)));
  const Result repeatable = Call(Ask("y"), Within(seconds(600)), "dev-1", kEchoMethods[1]);
  Run();
  EXPECT_EQ(service_.calls, 0);
  RestartBroker();
  swallowing.Remove();
  clock_.Advance(seconds(60));
  ExpectError(result, absl::StatusCode::kUnavailable, Outcome::kPerhaps, false, "session was lost");
  ExpectOk(repeatable, "y");
  EXPECT_EQ(service_.calls, 1);
}

// A device that takes one message at a time and whose PUBACK is slow: the next waits in the broker.
class QueueTest : public FailureTest {
 protected:
  QueueTest() {
    device_ = &MakeClient("dev-1", 1);
    ServeAndOpen();
    world_.faults().From("dev-1").Freeze();
    Call(Ask("first"), Within(seconds(60)));
    Run();
    service_.plain = [this](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
      deadline_ = context.deadline();
      return Reply();
    };
  }
  mqtt::TimePoint deadline_{};
};

TEST_F(QueueTest, TimeInTheBrokerIsSubtractedFromTheDeadline) {
  const mqtt::TimePoint called = clock_.Now();
  Call(Ask("x"), Within(milliseconds(20'500)));
  clock_.Advance(milliseconds(7300));
  EXPECT_EQ(service_.calls, 1);
  world_.faults().From("dev-1").Thaw();
  Run();
  ASSERT_EQ(service_.calls, 2);
  // Whole seconds are subtracted: late by less than a second.
  EXPECT_GE(deadline_, called + milliseconds(20'500));
  EXPECT_LT(deadline_, called + milliseconds(21'500));
}

TEST_F(QueueTest, ARequestThatWaitedTooLongIsNotRun) {
  const Result result = Call(Ask("x"), Within(seconds(2)));
  clock_.Advance(seconds(5));
  world_.faults().From("dev-1").Thaw();
  Run();
  EXPECT_EQ(service_.calls, 1);
  ExpectError(result, absl::StatusCode::kDeadlineExceeded, Outcome::kPerhaps, false);
}

TEST_F(FailureTest, TheDeviceGoesOnServingAfterTheBrokerWasRestarted) {
  ServeAndOpen();
  RestartBroker();
  clock_.Advance(seconds(60));
  const Result result = Call(Ask("again"));
  Run();
  ExpectOk(result, "again");
}

TEST_F(FailureTest, DrainLetsHandlersEndAndRefusesTheRest) {
  ServeOpen();
  Call(Ask("running"));
  Run();
  std::optional<absl::Status> stopped;
  server_->Stop(seconds(10), [&](absl::Status status) { stopped = std::move(status); });
  const Result late = Call(Ask("late"));
  Run();
  EXPECT_FALSE(stopped.has_value());
  ASSERT_TRUE(late->has_value());
  EXPECT_EQ((*late)->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(OutcomeOf((*late)->status()), Outcome::kNotExecuted);
  AnswerOpenCall();
  clock_.Advance(milliseconds(10));  // The broker's acknowledgement may wait for so long.
  ASSERT_TRUE(stopped.has_value());
  EXPECT_TRUE(stopped->ok()) << *stopped;
  EXPECT_EQ(service_.calls, 1);
  const Result after = Call(Ask("after"));
  Run();
  ExpectError(after, absl::StatusCode::kUnavailable, Outcome::kNotExecuted, false, "nobody");
}

TEST_F(FailureTest, DrainCancelsWhatOutlastsItsPatience) {
  ServeForEver();
  const Result result = Call(Ask("x"), Within(seconds(60)));
  Run();
  std::optional<absl::Status> stopped;
  server_->Stop(seconds(2), [&](absl::Status status) { stopped = std::move(status); });
  clock_.Advance(milliseconds(1999));
  EXPECT_EQ(log_of_handler_, "begin ");
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(log_of_handler_, "begin told aborted cancelled");
  EXPECT_FALSE(stopped.has_value()) << "the caller may not have heard of it";
  clock_.Advance(milliseconds(10));  // The broker's acknowledgement may wait for so long.
  ASSERT_TRUE(stopped.has_value());
  EXPECT_EQ(stopped->code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(stopped->message(), "1 handlers still ran and were cancelled");
  Run();
  EXPECT_EQ(log_of_handler_, "begin told aborted cancelled");
  ExpectError(result, absl::StatusCode::kUnavailable, Outcome::kPerhaps, true, "stopped");
}

TEST_F(FailureTest, StoppingAnIdleServerIsDoneAtOnce) {
  Serve();
  std::optional<absl::Status> stopped;
  server_->Stop(seconds(10), [&](absl::Status status) { stopped = std::move(status); });
  Run();
  ASSERT_TRUE(stopped.has_value());
  EXPECT_TRUE(stopped->ok());
}

TEST_F(FailureTest, ACoroutineMayOutliveTheServer) {
  ServeForEver();
  const Result result = Call(Ask("x"), Within(seconds(5)));
  Run();
  server_.reset();
  Run();
  EXPECT_EQ(log_of_handler_, "begin told aborted cancelled");
  clock_.Advance(seconds(5));
  ExpectError(result, absl::StatusCode::kDeadlineExceeded, Outcome::kPerhaps, false);
}

TEST_F(FailureTest, AHandlerMayDestroyTheServer) {
  service_.plain = [this](ServerContext&, const Question&) -> absl::StatusOr<Reply> {
    server_.reset();
    return Reply();
  };
  ServeAndOpen();
  const Result result = Call(Ask("x"), Within(seconds(1)));
  clock_.Advance(seconds(1));
  EXPECT_TRUE(result->has_value());
}

TEST_F(FailureTest, TheEndOfTheChannelEndsItsCallsAndTellsTheDevice) {
  ServeForEver();
  const Result result = Call(Ask("x"));
  Run();
  channel_.reset();
  Run();
  ExpectError(result, absl::StatusCode::kCancelled, Outcome::kPerhaps, false, "channel");
  EXPECT_EQ(log_of_handler_, "begin told aborted cancelled");
}

// While a reconnected channel ends the calls that its lost session took along.
TEST_F(FailureTest, TheEndOfACallMayEndTheChannel) {
  ServeOpen();
  absl::Status ended;
  channel_->Call<Reply>(kEcho, kEchoMethods[0], "dev-1", Ask("x"), Within(seconds(600)),
                        [&](const absl::StatusOr<Reply>& reply) {
                          ended = reply.status();
                          channel_.reset();
                        });
  const Result other = Call(Ask("y"), Within(seconds(600)));
  Run();
  RestartBroker();
  clock_.Advance(seconds(60));
  EXPECT_EQ(ended.code(), absl::StatusCode::kUnavailable) << ended;
  EXPECT_TRUE(other->has_value());
}

TEST_F(FailureTest, ACallBegunAtTheEndOfTheChannelEndsToo) {
  ServeForEver();
  Result again;
  Channel& channel = *channel_;  // Still whole while its end completes calls.
  channel.Call<Reply>(kEcho, kEchoMethods[0], "dev-1", Ask("x"), CallOptions(),
                      [&](const absl::StatusOr<Reply>&) { again = CallOn(channel, Ask("again")); });
  Run();
  asio::post(caller_->executor(), [this] { channel_.reset(); });
  Run();
  ASSERT_NE(again, nullptr);
  ExpectError(again, absl::StatusCode::kCancelled, Outcome::kNotExecuted, false, "channel");
}

TEST_F(FailureTest, ACancellationThatCannotGoOutIsNotKept) {
  ServeForEver();
  Spy();
  const Result result = Call(Ask("x"), Within(seconds(5)));
  Run();
  world_.faults().Refuse("me");
  world_.faults().Cut("me");
  clock_.Advance(seconds(5));
  ExpectError(result, absl::StatusCode::kDeadlineExceeded, Outcome::kPerhaps, false);
  world_.faults().Accept("me");
  clock_.Advance(seconds(60));
  EXPECT_THAT(Seen("rpc1/q/mqttrpc.test.Echo/dev-1/-cancel/"), testing::IsEmpty());
}

// Else a responder would choose which of the caller's parsers it talks to.
TEST_F(FailureTest, AnAnswerInAnotherContentTypeIsNotParsed) {
  mqtt::Client& device = Plain("dev-9", "rpc1/q/+/dev-9/+/+");
  Open();
  const auto answer = [&](const char* status) {
    mqtt::Message message(std::string(*inbox_.back().properties.Get(mqtt::property::kResponseTopic)),
                          R"({"text":"x","code":9,"message":"from JSON"})");
    message.properties.Set(mqtt::property::kCorrelationData,
                           *inbox_.back().properties.Get(mqtt::property::kCorrelationData));
    message.properties.Set(mqtt::property::kContentType, "application/json");
    if (*status != 0) message.properties.Add(mqtt::property::kUserProperty, {"rpc-status", status});
    Publish(device, std::move(message));
  };
  const Result good = Call(Ask("x"), CallOptions(), "dev-9");
  Run();
  answer("");
  ExpectError(good, absl::StatusCode::kInternal, Outcome::kExecuted, false, "Content Type");
  const Result bad = Call(Ask("x"), CallOptions(), "dev-9");
  Run();
  answer("9");
  ExpectError(bad, absl::StatusCode::kFailedPrecondition, Outcome::kPerhaps, true);
  EXPECT_EQ((*bad)->status().message(), "");
}

TEST_F(FailureTest, StartFailsWithBadOptionsAndOnlyOnce) {
  ServerOptions options;
  options.instance = "_all";
  Server bad(*device_, options);
  std::optional<absl::Status> started;
  bad.Start([&](absl::Status status) { started = std::move(status); });
  EXPECT_FALSE(started.has_value());
  Run();
  EXPECT_EQ(started->code(), absl::StatusCode::kInvalidArgument);
  Serve();
  server_->Start([&](absl::Status status) { started = std::move(status); });
  Run();
  EXPECT_EQ(started->code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FailureTest, StartWaitsForTheConnectionAndMayBeCancelled) {
  world_.faults().Refuse("dev-1");
  device_ = &MakeClient("dev-1");
  Server server(*device_);
  asio::cancellation_signal cancel;
  std::optional<absl::Status> started;
  server.Start(asio::bind_cancellation_slot(cancel.slot(), [&](absl::Status status) { started = std::move(status); }));
  clock_.Advance(seconds(10));
  EXPECT_FALSE(started.has_value());
  cancel.emit(asio::cancellation_type::terminal);
  Run();
  ASSERT_TRUE(started.has_value());
  EXPECT_EQ(started->code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace mqttrpc
