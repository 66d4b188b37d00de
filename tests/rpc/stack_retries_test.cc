// Attempts after the first through the whole stack: one call id, and handlers that run as often as they may.
#include <asio/awaitable.hpp>

#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::kEchoMethods;
using test::milliseconds;
using test::Question;
using test::Reply;
using test::Result;
using test::seconds;

class RetriesTest : public test::StackTest {
 protected:
  static CallOptions Retrying(int attempts = 4) {
    CallOptions options;
    options.retry.emplace();
    options.retry->maximum_attempts = attempts;
    options.timeout = seconds(30);
    return options;
  }
  // Fails so often, then answers.
  void FailFirst(int times, Outcome outcome) {
    service_.plain = [this, times, outcome](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
      attempts_.push_back(context.attempt());
      if (static_cast<int>(attempts_.size()) > times) return Reply();
      absl::Status status = absl::UnavailableError("not now");
      SetOutcome(status, outcome);
      return status;
    };
  }

  std::vector<int> attempts_;
};

TEST_F(RetriesTest, AHandlerThatDidNothingIsAskedAgain) {
  FailFirst(2, Outcome::kNotExecuted);
  ServeAndOpen();
  const Result result = Call(Ask(""), Retrying());
  world_.Advance(seconds(2));
  ExpectOk(result, "");
  EXPECT_THAT(attempts_, testing::ElementsAre(1, 2, 3));
}

TEST_F(RetriesTest, AMethodThatBearsItIsRunAgainAfterAnError) {
  FailFirst(1, Outcome::kExecuted);
  ServeAndOpen();
  const Result safe = Call(Ask(""), Retrying(), "dev-1", kEchoMethods[1]);
  world_.Advance(seconds(2));
  ExpectOk(safe, "");
  EXPECT_THAT(attempts_, testing::ElementsAre(1, 2));
}

TEST_F(RetriesTest, AMethodThatDoesNotIsNot) {
  FailFirst(1, Outcome::kExecuted);
  ServeAndOpen();
  const Result result = Call(Ask(""), Retrying());
  world_.Advance(seconds(2));
  ExpectError(result, absl::StatusCode::kUnavailable, Outcome::kExecuted, true);
  EXPECT_THAT(attempts_, testing::ElementsAre(1));
}

TEST_F(RetriesTest, AServerAtItsLimitIsAskedAgainWhenItSaid) {
  ServerOptions options;
  options.maximum_calls = 1;
  options.push_back = milliseconds(700);
  std::vector<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.push_back(std::move(call)); };
  Serve(options);
  Open();
  const Result first = Call(Ask("1"), Retrying());
  const Result second = Call(Ask("2"), Retrying());
  Run();
  ASSERT_EQ(open.size(), 1u);
  Reply reply;
  open[0].Finish(absl::OkStatus(), &reply);
  world_.Advance(milliseconds(699));
  EXPECT_EQ(open.size(), 1u);
  world_.Advance(milliseconds(1));
  ASSERT_EQ(open.size(), 2u);
  open[1].Finish(absl::OkStatus(), &reply);
  Run();
  ExpectOk(first, "");
  ExpectOk(second, "");
}

TEST_F(RetriesTest, WaitForReadyWaitsForTheDevice) {
  Open();
  CallOptions options;
  options.wait_for_ready = true;
  options.timeout = seconds(60);
  const Result result = Call(Ask("at last"), options);
  world_.Advance(seconds(20));
  EXPECT_FALSE(result->has_value());
  Serve();
  world_.Advance(seconds(12));
  ExpectOk(result, "at last");
}

TEST_F(RetriesTest, APolicyOfTheMethodGoesBeforeTheChannels) {
  FailFirst(1, Outcome::kNotExecuted);
  Serve();
  ChannelOptions options;
  options.method_retry["mqttrpc.test.Echo/Echo"].maximum_attempts = 2;
  Open(options);
  CallOptions call;
  call.timeout = seconds(30);
  const Result result = Call(Ask("x"), call);
  world_.Advance(seconds(1));
  ExpectOk(result, "");
}

TEST_F(RetriesTest, ABadPolicyIsRefused) {
  ChannelOptions options;
  options.method_retry["a/b"].maximum_attempts = 0;
  Serve();
  Open(options);
  const Result result = Call(Ask("x"));
  Run();
  ExpectError(result, absl::StatusCode::kInvalidArgument, Outcome::kNotExecuted, false, "method_retry of a/b");
}

TEST_F(RetriesTest, AHedgeReachesAnotherMemberOfThePool) {
  Serve();  // Answers nothing below.
  std::vector<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.push_back(std::move(call)); };
  test::EchoService quick;
  Server other(MakeClient("dev-2"));
  other.Add(quick);
  ASSERT_TRUE(world_.Run(other.Start()).ok());
  Open();
  int answered = 0;
  for (int i = 0; i < 4; ++i) {
    CallOptions options = Retrying(4);
    options.retry->hedging_delay = milliseconds(100);
    const Result result = Call(Ask("hi"), options, kAnyInstance, kEchoMethods[1]);
    world_.Advance(seconds(1));
    if (result->has_value() && (*result)->ok()) ++answered;
  }
  EXPECT_EQ(answered, 4);
}

// A handler's own calls.
TEST_F(RetriesTest, ACallMadeForAnotherEndsWithIt) {
  std::optional<milliseconds> left;
  std::string trace;
  test::EchoService backend;
  backend.plain = [&](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
    left = std::chrono::duration_cast<milliseconds>(context.deadline() - clock_.Now());
    trace = std::string(context.metadata().Get("traceparent").value_or(""));
    return Reply();
  };
  Server other(MakeClient("dev-2"));
  other.Add(backend);
  ASSERT_TRUE(world_.Run(other.Start()).ok());
  Channel onwards(*device_);
  Result nested;
  service_.plain = [&](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
    CallOptions options;
    options.parent = &context;
    nested = CallOn(onwards, Ask(""), options, "dev-2");
    return Reply();
  };
  ServeAndOpen();
  CallOptions options;
  options.timeout = milliseconds(1'500);
  options.metadata.Add("traceparent", "00-1-2-01");
  Call(Ask(""), options);
  Run();
  ExpectOk(nested, "");
  ASSERT_TRUE(left.has_value());
  EXPECT_EQ(*left, milliseconds(1'500));
  EXPECT_EQ(trace, "00-1-2-01");
}

}  // namespace
}  // namespace mqttrpc
