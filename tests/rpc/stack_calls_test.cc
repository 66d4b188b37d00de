// Calls through the whole stack: what is asked, what is answered.
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::kEcho;
using test::kEchoMethods;
using test::milliseconds;
using test::Question;
using test::Reason;
using test::Reply;
using test::Result;
using test::seconds;
using test::StackTest;
using test::UserProperty;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;
namespace property = mqtt::property;

test::UserProperties Entries(const Metadata& metadata) { return {metadata.begin(), metadata.end()}; }

TEST_F(StackTest, ACallIsAnswered) {
  ServeAndOpen();
  const Result result = Call(Ask("hi"));
  Run();
  ExpectOk(result, "hi");
  EXPECT_EQ(server_->instance(), "dev-1");
  EXPECT_EQ(server_->running_calls(), 0u);
}

TEST_F(StackTest, TheMessagesAreThoseOfTheProtocol) {
  ServeAndOpen();
  Spy();
  CallOptions options;
  options.timeout = milliseconds(1500);
  options.metadata.Add("k", "v");
  Call(Ask("hi"), options);
  Run();
  const auto requests = Seen("rpc1/q/");
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].topic_name, "rpc1/q/mqttrpc.test.Echo/dev-1/Echo/me");
  EXPECT_EQ(requests[0].qos, mqtt::QoS::kAtLeastOnce);
  EXPECT_EQ(requests[0].properties.Get(property::kMessageExpiryInterval), 2u);
  EXPECT_EQ(UserProperty(requests[0], "rpc-tmo"), "1500");
  EXPECT_EQ(UserProperty(requests[0], "rpc-f"), "");
  EXPECT_EQ(UserProperty(requests[0], "k"), "v");
  ASSERT_EQ(requests[0].properties.Get(property::kCorrelationData)->size(), 16u);
  const auto answers = Seen("rpc1/r/me/");
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].topic_name, requests[0].properties.Get(property::kResponseTopic));
  EXPECT_EQ(answers[0].properties.Get(property::kCorrelationData),
            requests[0].properties.Get(property::kCorrelationData));
  EXPECT_EQ(UserProperty(answers[0], "rpc-from"), "dev-1");
  EXPECT_EQ(UserProperty(answers[0], "rpc-status"), "");
}

TEST_F(StackTest, MetadataTravelsBothWaysInOrder) {
  Metadata got;
  service_.plain = [&](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
    got = context.metadata();
    context.reply_metadata().Add("x", "1");
    context.reply_metadata().Add("bytes-bin", std::string("\0\xFF", 2));
    context.reply_metadata().Add("x", "2");
    return Reply();
  };
  ServeAndOpen();
  CallInfo info;
  CallOptions options;
  options.info = &info;
  options.metadata.Add("b", "1");
  options.metadata.Add("a-bin", std::string("\xFE\0", 2));
  options.metadata.Add("b", "2");
  Call(Ask(""), options);
  Run();
  EXPECT_THAT(Entries(got), ElementsAre(Pair("b", "1"), Pair("a-bin", std::string("\xFE\0", 2)), Pair("b", "2")));
  EXPECT_THAT(Entries(info.metadata),
              ElementsAre(Pair("x", "1"), Pair("bytes-bin", std::string("\0\xFF", 2)), Pair("x", "2")));
  EXPECT_EQ(info.instance, "dev-1");
}

TEST_F(StackTest, TheContextTellsTheCall) {
  service_.plain = [&](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
    EXPECT_EQ(context.caller(), "me");
    EXPECT_EQ(context.service(), "mqttrpc.test.Echo");
    EXPECT_EQ(context.method(), "Echo");
    EXPECT_EQ(context.instance(), "dev-1");
    EXPECT_EQ(context.attempt(), 1);
    EXPECT_EQ(context.deadline() - clock_.Now(), milliseconds(1500));
    EXPECT_FALSE(context.cancelled());
    return Reply();
  };
  ServeAndOpen();
  CallOptions options;
  options.timeout = milliseconds(1500);
  const Result result = Call(Ask(""), options);
  Run();
  ExpectOk(result, "");
}

TEST_F(StackTest, AnErrorArrivesWithCodeTextAndDetails) {
  service_.plain = [](ServerContext&, const Question&) -> absl::StatusOr<Reply> {
    absl::Status status = absl::FailedPreconditionError("too hot");
    Reason reason;
    reason.set_why("sun");
    AddDetail(status, reason);
    return status;
  };
  ServeAndOpen();
  for (const ContentType type : {ContentType::kProtobuf, ContentType::kJson}) {
    CallOptions options;
    options.content_type = type;
    const Result result = Call(Ask(""), options);
    Run();
    ExpectError(result, absl::StatusCode::kFailedPrecondition, Outcome::kExecuted, true, "too hot");
    EXPECT_EQ(DetailOf<Reason>((*result)->status())->why(), "sun");
  }
}

TEST_F(StackTest, JsonGoesBesideProtobuf) {
  ServeAndOpen();
  Spy();
  CallOptions options;
  options.content_type = ContentType::kJson;
  const Result result = Call(Ask("hi"), options);
  Run();
  ExpectOk(result, "hi");
  ASSERT_THAT(Seen("rpc1/r/"), SizeIs(1));
  EXPECT_EQ(Seen("rpc1/q/")[0].payload, R"({"text":"hi"})");
  EXPECT_EQ(Seen("rpc1/r/")[0].payload, R"({"text":"hi"})");
}

// What mosquitto_rr or a browser sends: no user property, JSON, perhaps no id.
TEST_F(StackTest, APlainMqttClientIsACaller) {
  Serve();
  mqtt::Client& plain = Plain("web-7", "rpc1/r/web-7/+");
  mqtt::Message request("rpc1/q/mqttrpc.test.Echo/dev-1/Echo/web-7", R"({"text":"hello"})");
  request.properties.Set(property::kResponseTopic, "rpc1/r/web-7/1");
  Publish(plain, request);
  request.properties.Set(property::kCorrelationData, "any bytes");
  Publish(plain, request);
  ASSERT_THAT(inbox_, SizeIs(2));
  EXPECT_EQ(inbox_[0].payload, R"({"text":"hello"})");
  EXPECT_EQ(inbox_[0].properties.Get(property::kCorrelationData), std::nullopt);
  EXPECT_EQ(inbox_[1].properties.Get(property::kCorrelationData), "any bytes");
  EXPECT_EQ(inbox_[1].properties.Get(property::kContentType), "application/json");
}

TEST_F(StackTest, ADuplicateIsAnsweredAgainAndNotRunAgain) {
  Serve();
  mqtt::Client& plain = Plain("web-7", "rpc1/r/web-7/+");
  mqtt::Message request("rpc1/q/mqttrpc.test.Echo/dev-1/Echo/web-7", R"({"text":"hello"})");
  request.properties.Set(property::kResponseTopic, "rpc1/r/web-7/1");
  request.properties.Set(property::kCorrelationData, "id");
  for (int i = 0; i < 3; ++i) Publish(plain, request);
  EXPECT_EQ(service_.calls, 1);
  ASSERT_THAT(inbox_, SizeIs(3));
  EXPECT_EQ(inbox_[2].payload, inbox_[0].payload);
}

TEST_F(StackTest, AHostileResponseTopicGetsNothingButALogLine) {
  Serve();
  Spy();
  mqtt::Client& plain = Plain("evil", "rpc1/r/evil/+");
  seen_.clear();
  for (const std::string_view topic : {"$SYS/r/evil/1", "rpc1/r/victim/1", "home/lamp/set", "rpc1/q/evil/1"}) {
    mqtt::Message request("rpc1/q/mqttrpc.test.Echo/dev-1/Echo/evil", "{}");
    request.properties.Set(property::kResponseTopic, topic);
    request.properties.Set(property::kCorrelationData, topic);
    const std::size_t before = log_.lines().size();
    Publish(plain, request);
    const std::vector<std::string> lines = log_.lines();
    EXPECT_THAT(std::vector(lines.begin() + static_cast<std::ptrdiff_t>(before), lines.end()),
                testing::Contains(HasSubstr("event=request_dropped")))
        << topic;
  }
  EXPECT_EQ(service_.calls, 0);
  EXPECT_THAT(Seen("rpc1/r/"), SizeIs(0));
  EXPECT_THAT(Seen("rpc1/q/"), SizeIs(4));
}

TEST_F(StackTest, NobodyThereIsKnownWithinOneRoundTrip) {
  Open();
  const mqtt::TimePoint before = clock_.Now();
  const Result result = Call(Ask("hi"), CallOptions(), "absent");
  Run();
  EXPECT_EQ(clock_.Now(), before);
  ExpectError(result, absl::StatusCode::kUnavailable, Outcome::kNotExecuted, false, "nobody serves");
}

TEST_F(StackTest, AnUnknownMethodIsUnimplemented) {
  static constexpr MethodInfo kOther{.name = "Other"};
  static constexpr ServiceInfo kStranger{.name = "acme.Stranger", .share_group = "", .methods = {}};
  ServeAndOpen();
  const Result method = Call(Ask("hi"), CallOptions(), "dev-1", kOther);
  const Result service = Call(Ask("hi"), CallOptions(), "dev-1", kOther, kStranger);
  Run();
  ExpectError(method, absl::StatusCode::kUnimplemented, Outcome::kNotExecuted, true, "Other");
  ExpectError(service, absl::StatusCode::kUnimplemented, Outcome::kNotExecuted, true, "acme.Stranger");
}

TEST_F(StackTest, OverItsLimitAServerPushesBack) {
  std::vector<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.push_back(std::move(call)); };
  ServerOptions options;
  options.maximum_calls = 1;
  options.push_back = milliseconds(250);
  Serve(options);
  Open();
  Call(Ask("1"));
  const Result second = Call(Ask("2"));
  Run();
  ExpectError(second, absl::StatusCode::kResourceExhausted, Outcome::kNotExecuted, true, "1 calls");
  EXPECT_EQ(RetryAfter((*second)->status()), milliseconds(250));
  open.clear();
}

TEST_F(StackTest, AOneWayCallEndsWhenTheBrokerHasIt) {
  ServeAndOpen();
  CallOptions options;
  options.one_way = true;
  const Result nobody = Call(Ask("hi"), options, "absent");
  Run();
  ExpectError(nobody, absl::StatusCode::kUnavailable, Outcome::kNotExecuted, false);
  Spy();
  const Result result = Call(Ask("hi"), options);
  Run();
  ExpectOk(result, "");
  EXPECT_EQ(service_.calls, 1);
  EXPECT_THAT(Seen("rpc1/r/"), SizeIs(0));
}

TEST_F(StackTest, AQoS0MethodIsAskedAndAnsweredWithQoS0) {
  ServeAndOpen();
  Spy();
  const Result result = Call(Ask("hi"), CallOptions(), "dev-1", kEchoMethods[2]);
  Run();
  ExpectOk(result, "hi");
  EXPECT_EQ(Seen("rpc1/q/")[0].qos, mqtt::QoS::kAtMostOnce);
  EXPECT_EQ(Seen("rpc1/r/")[0].qos, mqtt::QoS::kAtMostOnce);
}

TEST_F(StackTest, APoolSharesItsCalls) {
  ServeAndOpen();
  test::EchoService other;
  Server second(MakeClient("dev-2"));
  second.Add(other);
  second.Start([](absl::Status status) { ASSERT_TRUE(status.ok()) << status; });
  Run();
  std::vector<Result> results;
  for (int i = 0; i < 10; ++i) results.push_back(Call(Ask("hi"), CallOptions(), kAnyInstance));
  Run();
  for (const Result& result : results) ExpectOk(result, "hi");
  EXPECT_EQ(service_.calls + other.calls, 10);
  EXPECT_GT(service_.calls, 0);
  EXPECT_GT(other.calls, 0);
}

TEST_F(StackTest, AServerOutsideOfThePoolGetsOnlyItsOwnCalls) {
  ServerOptions options;
  options.join_pool = false;
  Serve(options);
  Open();
  const Result pool = Call(Ask("hi"), CallOptions(), kAnyInstance);
  Run();
  ExpectError(pool, absl::StatusCode::kUnavailable, Outcome::kNotExecuted, false);
}

TEST_F(StackTest, SeveralChannelsShareAClient) {
  ServeAndOpen();
  Channel other(*caller_);
  Run();
  const Result first = Call(Ask("1"));
  const Result second = CallOn(other, Ask("2"));
  Run();
  ExpectOk(first, "1");
  ExpectOk(second, "2");
}

TEST_F(StackTest, ANameSpaceKeepsSitesApart) {
  ServerOptions options;
  options.name_space = "plant/4/rpc1";
  Serve(options);
  ChannelOptions same;
  same.name_space = "plant/4/rpc1";
  Open(same);
  const Result inside = Call(Ask("hi"));
  Channel elsewhere(*caller_);
  Run();
  const Result outside = CallOn(elsewhere, Ask("hi"));
  Run();
  ExpectOk(inside, "hi");
  ExpectError(outside, absl::StatusCode::kUnavailable, Outcome::kNotExecuted, false);
}

TEST_F(StackTest, AnOddClientIdStandsInTopicsAsItsHash) {
  device_ = &MakeClient("device 1/\xC3\xA9");
  caller_ = &MakeClient("caller +1");
  ServeAndOpen();
  EXPECT_THAT(server_->instance(), SizeIs(32));
  const Result result = Call(Ask("hi"), CallOptions(), server_->instance());
  Run();
  ExpectOk(result, "hi");
}

TEST_F(StackTest, BadOptionsAreRefusedWithoutSending) {
  ServeAndOpen();
  Spy();
  CallOptions long_time;
  long_time.timeout = seconds(31 * 24 * 3600);
  CallOptions negative;
  negative.timeout = milliseconds(-1);
  CallOptions ours;
  ours.metadata.Add("rpc-x", "n");
  const std::vector<Result> results{Call(Ask(""), long_time), Call(Ask(""), negative), Call(Ask(""), ours),
                                    Call(Ask(""), CallOptions(), "a/b"), Call(Ask(""), CallOptions(), "")};
  for (const Result& result : results) EXPECT_FALSE(result->has_value());  // Never from inside the call.
  Run();
  for (const Result& result : results) {
    ExpectError(result, absl::StatusCode::kInvalidArgument, Outcome::kNotExecuted, false);
  }
  const Result all = Call(Ask(""), CallOptions(), "_all");
  Run();
  ExpectError(all, absl::StatusCode::kUnimplemented, Outcome::kNotExecuted, false);
  ChannelOptions bad;
  bad.name_space = "rpc2";
  Channel other(*caller_, bad);
  const Result result = CallOn(other, Ask(""));
  Run();
  ExpectError(result, absl::StatusCode::kInvalidArgument, Outcome::kNotExecuted, false, "rpc2");
  EXPECT_THAT(Seen("rpc1/q/"), SizeIs(0));
}

TEST_F(StackTest, AOneWayRequestLargerThanTheBrokerTakesIsNotSent) {
  ServeAndOpen();
  CallOptions options;
  options.one_way = true;
  const Result result = Call(Ask(std::string(2 * 1024 * 1024, 'x')), options);
  Run();
  ExpectError(result, absl::StatusCode::kResourceExhausted, Outcome::kNotExecuted, false);
}

TEST_F(StackTest, MessagesLargerThanTheBrokerTakesGoInFragments) {
  ServeAndOpen();
  const std::string text(2 * 1024 * 1024, 'x');
  const Result result = Call(Ask(text));
  Run();
  ExpectOk(result, text);
  EXPECT_EQ(service_.calls, 1);
}

TEST_F(StackTest, AReplyLargerThanAPlainCallerTakesIsResourceExhausted) {
  service_.plain = [](ServerContext&, const Question&) -> absl::StatusOr<Reply> {
    Reply reply;
    reply.set_text(std::string(2 * 1024 * 1024, 'x'));
    return reply;
  };
  Serve();
  mqtt::Client& plain = Plain("me-plain", "rpc1/r/me-plain/+");
  mqtt::Message request("rpc1/q/mqttrpc.test.Echo/dev-1/Echo/me-plain", "", mqtt::QoS::kAtLeastOnce);
  request.properties.Set(property::kResponseTopic, "rpc1/r/me-plain/1");
  Publish(plain, request);
  ASSERT_THAT(inbox_, SizeIs(1));
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-status"), "8");
  EXPECT_THAT(UserProperty(inbox_[0], "rpc-msg"), HasSubstr("takes no fragments"));
}

TEST_F(StackTest, AReplyThatDoesNotParseIsInternal) {
  Open();
  mqtt::Client& fake = Plain("dev-1x", "rpc1/q/+/dev-9/+/+");
  const Result result = Call(Ask(""), CallOptions(), "dev-9");
  Run();
  ASSERT_THAT(inbox_, SizeIs(1));
  mqtt::Message answer(std::string(*inbox_[0].properties.Get(property::kResponseTopic)), "\xFF\xFF");
  answer.properties.Set(property::kCorrelationData, *inbox_[0].properties.Get(property::kCorrelationData));
  Publish(fake, answer);
  ExpectError(result, absl::StatusCode::kInternal, Outcome::kExecuted, false);
  // A second answer, and one to nobody, only leave a line.
  Publish(fake, answer);
  EXPECT_THAT(log_.lines(), testing::Contains(HasSubstr("event=answer_dropped")));
}

TEST_F(StackTest, AHandlerMayBeACoroutine) {
  service_.coroutine = [](ServerContext& context, const Question& question) -> test::EchoService::Coroutine {
    asio::steady_timer timer(context.executor(), std::chrono::steady_clock::time_point::min());
    co_await timer.async_wait(asio::use_awaitable);
    Reply reply;
    reply.set_text(question.text() + " later");
    co_return reply;
  };
  ServeAndOpen();
  const Result result = Call(Ask("hi"));
  Run();
  ExpectOk(result, "hi later");
}

TEST_F(StackTest, ACoroutineThatThrowsAnswersUnknown) {
  service_.coroutine = [](ServerContext&, const Question&) -> test::EchoService::Coroutine {
    throw std::runtime_error("on fire");
    co_return Reply();
  };
  ServeAndOpen();
  const Result result = Call(Ask("hi"));
  Run();
  ExpectError(result, absl::StatusCode::kUnknown, Outcome::kExecuted, true, "on fire");
}

TEST_F(StackTest, CallsAreAwaited) {
  ServeAndOpen();
  std::string log;
  const auto run = [&]() -> asio::awaitable<void> {
    const Question question = Ask("hi");
    const CallOptions options;
    auto reply = co_await channel_->Call<Reply>(kEcho, kEchoMethods[0], "dev-1", question, options, DefaultToken());
    log += reply.ok() ? reply->text() : reply.status().ToString();
    // One that ends without going out.
    auto refused = co_await channel_->Call<Reply>(kEcho, kEchoMethods[0], "a/b", question, options, DefaultToken());
    log += refused.ok() ? "?" : " refused";
  };
  asio::co_spawn(caller_->executor(), run(), asio::detached);
  Run();
  EXPECT_EQ(log, "hi refused");
}

TEST_F(StackTest, CallsGiveFutures) {
  ServeAndOpen();
  auto future = channel_->Call<Reply>(kEcho, kEchoMethods[0], "dev-1", Ask("hi"), CallOptions(), asio::use_future);
  Run();
  ASSERT_EQ(future.wait_for(seconds(0)), std::future_status::ready);
  EXPECT_EQ(future.get()->text(), "hi");
}

TEST_F(StackTest, AServerMayCallFromAHandler) {
  ServeAndOpen();
  Channel own(*device_);
  Run();
  const auto handler = [&](ServerContext&, const Question& question) -> test::EchoService::Coroutine {
    if (question.number() > 0) {
      Question inner;
      inner.set_text("inner");
      const CallOptions options;
      auto reply = co_await own.Call<Reply>(kEcho, kEchoMethods[0], "nobody", inner, options, DefaultToken());
      co_return reply;
    }
    co_return Reply();
  };
  service_.coroutine = handler;
  Question question;
  question.set_number(1);
  const Result result = Call(question);
  Run();
  // The inner call was not executed, the outer one was.
  ExpectError(result, absl::StatusCode::kUnavailable, Outcome::kExecuted, true, "nobody serves");
}

}  // namespace
}  // namespace mqttrpc
