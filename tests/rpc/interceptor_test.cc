// Interceptors of unary calls through the whole stack, on either side. Streams: interceptor_streams_test.cc.
#include <stdexcept>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "interceptor_recorder.h"
#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::kEcho;
using test::kEchoMethods;
using test::Notes;
using test::Question;
using test::RecordingClient;
using test::RecordingServer;
using test::Reply;
using test::Result;
using test::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class InterceptorTest : public test::StackTest {
 protected:
  // C1 and C2 on the calling side, S1 and S2 on the serving side.
  void ServeAndOpenIntercepted() {
    ServerOptions serving;
    serving.interceptors = {s1_, s2_};
    Serve(serving);
    ChannelOptions calling;
    calling.interceptors = {c1_, c2_};
    Open(calling);
  }
  Result CallAndRun(std::string text = "hi", CallOptions options = CallOptions()) {
    Result result = Call(Ask(std::move(text)), std::move(options));
    Run();
    return result;
  }
  void ExpectEachEndedOnce() const {
    EXPECT_EQ(c1_->begun, c1_->ended);
    EXPECT_EQ(c2_->begun, c2_->ended);
    EXPECT_EQ(s1_->begun, s1_->ended);
    EXPECT_EQ(s2_->begun, s2_->ended);
  }

  const Notes notes_ = std::make_shared<std::vector<std::string>>();
  std::shared_ptr<RecordingClient> c1_ = std::make_shared<RecordingClient>("C1", notes_);
  std::shared_ptr<RecordingClient> c2_ = std::make_shared<RecordingClient>("C2", notes_);
  std::shared_ptr<RecordingServer> s1_ = std::make_shared<RecordingServer>("S1", notes_);
  std::shared_ptr<RecordingServer> s2_ = std::make_shared<RecordingServer>("S2", notes_);
};

TEST_F(InterceptorTest, TheFirstAddedIsOutermost) {
  ServeAndOpenIntercepted();
  service_.plain = [this](ServerContext&, const Question&) {
    notes_->emplace_back("handler");
    return Reply();
  };
  const Result result = CallAndRun();
  ExpectOk(result, "");
  EXPECT_THAT(*notes_, ElementsAre("C1 begin", "C2 begin", "C1 send", "C2 send",                   //
                                   "S1 begin", "S2 begin", "S1 receive", "S2 receive", "handler",  //
                                   "S2 send", "S1 send", "S2 end", "S1 end",                       //
                                   "C2 receive", "C1 receive", "C2 end", "C1 end"));
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, WhoIsNotInterestedIsNotAskedAgain) {
  c1_->follows = c2_->follows = s1_->follows = s2_->follows = false;
  ServeAndOpenIntercepted();
  ExpectOk(CallAndRun(), "hi");
  EXPECT_THAT(*notes_, ElementsAre("C1 begin", "C2 begin", "S1 begin", "S2 begin"));
}

TEST_F(InterceptorTest, ANullInterceptorIsPassedOver) {
  ServerOptions serving;
  serving.interceptors = {nullptr, s1_};
  Serve(serving);
  ChannelOptions calling;
  calling.interceptors = {nullptr};
  Open(calling);
  ExpectOk(CallAndRun(), "hi");
  EXPECT_EQ(s1_->ended, 1);
}

TEST_F(InterceptorTest, TellsWhatIsCalled) {
  std::string seen;
  c1_->begin = [&](ClientCallInfo& call) {
    seen = std::string(call.service().name) + "/" + std::string(call.method().name) + " at " +
           std::string(call.target()) + ": " + static_cast<const Question&>(*call.request()).text();
  };
  std::string served;
  s1_->begin = [&](ServerCallInfo& call) {
    served = std::string(call.context().caller()) + " calls " + std::string(call.context().service()) + "/" +
             std::string(call.method().name);
  };
  ServeAndOpenIntercepted();
  ExpectOk(CallAndRun(), "hi");
  EXPECT_EQ(seen, "mqttrpc.test.Echo/Echo at dev-1: hi");
  EXPECT_EQ(served, "me calls mqttrpc.test.Echo/Echo");
}

TEST_F(InterceptorTest, MetadataIsChangedBothWays) {
  c1_->begin = [](ClientCallInfo& call) { call.options().metadata.Set("token", "secret"); };
  s1_->begin = [](ServerCallInfo& call) {
    EXPECT_EQ(call.metadata().Get("token"), "secret");
    call.metadata().Remove("token");
    call.metadata().Add("user", "ada");
  };
  std::string user;
  service_.plain = [&](ServerContext& context, const Question&) {
    user = std::string(context.metadata().Get("user").value_or(""));
    EXPECT_FALSE(context.metadata().Get("token").has_value());
    context.reply_metadata().Add("from", "handler");
    return Reply();
  };
  s2_->end = [](absl::Status&, ServerContext& context) { context.reply_metadata().Add("from", "s2"); };
  c2_->end = [](absl::Status&, CallInfo& info) {
    EXPECT_EQ(info.instance, "dev-1");
    info.metadata.Add("from", "c2");
  };
  ServeAndOpenIntercepted();
  CallInfo info;
  CallOptions options;
  options.info = &info;
  options.metadata.Add("token", "mine");
  ExpectOk(CallAndRun("", options), "");
  EXPECT_EQ(user, "ada");
  Metadata expected;
  for (const char* from : {"handler", "s2", "c2"}) expected.Add("from", from);
  EXPECT_EQ(info.metadata, expected);
  EXPECT_EQ(info.instance, "dev-1");
}

TEST_F(InterceptorTest, OptionsAreChangedBeforeTheyAreUsed) {
  c1_->begin = [](ClientCallInfo& call) { call.options().timeout = seconds(1); };
  std::vector<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.push_back(std::move(call)); };
  ServeAndOpenIntercepted();
  const Result result = CallAndRun();
  world_.Advance(seconds(1));
  ExpectError(result, absl::StatusCode::kDeadlineExceeded, Outcome::kPerhaps, false);
}

TEST_F(InterceptorTest, MessagesAreChangedBothWaysAndTheCallersStaysAsItWas) {
  const auto append = [](std::string what) {
    return [what](OutgoingMessage& message) {
      if (auto* question = dynamic_cast<Question*>(&message.Change())) question->set_text(question->text() + what);
      if (auto* reply = dynamic_cast<Reply*>(&message.Change())) reply->set_text(reply->text() + what);
      return absl::OkStatus();
    };
  };
  c1_->send = append("1");
  c2_->send = append("2");
  s1_->receive = [](google::protobuf::Message& message) {
    auto& question = static_cast<Question&>(message);
    question.set_text(question.text() + "3");
    return absl::OkStatus();
  };
  s2_->send = append("4");
  s1_->send = append("5");
  c1_->receive = [](google::protobuf::Message& message) {
    auto& reply = static_cast<Reply&>(message);
    reply.set_text(reply.text() + "6");
    return absl::OkStatus();
  };
  ServeAndOpenIntercepted();
  const Question question = Ask("0");
  const Result result = Call(question);
  Run();
  ExpectOk(result, "0123456");
  EXPECT_EQ(question.text(), "0");
}

TEST_F(InterceptorTest, ALookCopiesNothing) {
  Question question = Ask("hi");
  OutgoingMessage message(question);
  EXPECT_EQ(&message.get(), &question);
  EXPECT_NE(&message.Change(), &question);
  EXPECT_EQ(&message.get(), &message.Change());
}

// --- Short circuits

TEST_F(InterceptorTest, TheCallingSideRefuses) {
  c1_->begin = [](ClientCallInfo& call) { call.Refuse(absl::PermissionDeniedError("not today")); };
  ServeAndOpenIntercepted();
  const Result result = CallAndRun();
  ExpectError(result, absl::StatusCode::kPermissionDenied, Outcome::kNotExecuted, false, "not today");
  EXPECT_THAT(*notes_, ElementsAre("C1 begin", "C1 end"));
  EXPECT_EQ(service_.calls, 0);
}

TEST_F(InterceptorTest, OuterOnesHearOfARefusalFurtherIn) {
  c2_->begin = [](ClientCallInfo& call) { call.Refuse(absl::ResourceExhaustedError("quota")); };
  c2_->follows = false;
  ServeAndOpenIntercepted();
  ExpectError(CallAndRun(), absl::StatusCode::kResourceExhausted, Outcome::kNotExecuted, false, "quota");
  EXPECT_THAT(*notes_, ElementsAre("C1 begin", "C2 begin", "C1 end"));
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(InterceptorTest, ARefusalWithOkIsInternal) {
  c1_->begin = [](ClientCallInfo& call) { call.Refuse(absl::OkStatus()); };
  ServeAndOpenIntercepted();
  ExpectError(CallAndRun(), absl::StatusCode::kInternal, Outcome::kNotExecuted, false);
}

TEST_F(InterceptorTest, TheCallingSideAnswers) {
  c2_->begin = [](ClientCallInfo& call) {
    Reply reply;
    reply.set_text("cached");
    call.Answer(reply);
  };
  ServeAndOpenIntercepted();
  ExpectOk(CallAndRun(), "cached");
  EXPECT_THAT(*notes_, ElementsAre("C1 begin", "C2 begin", "C2 receive", "C1 receive", "C2 end", "C1 end"));
  EXPECT_EQ(service_.calls, 0);
}

TEST_F(InterceptorTest, AnAnswerOfAnotherTypeIsInternal) {
  c1_->begin = [](ClientCallInfo& call) { call.Answer(Question()); };
  ServeAndOpenIntercepted();
  ExpectError(CallAndRun(), absl::StatusCode::kInternal, Outcome::kNotExecuted, false, "mqttrpc.test.Question");
}

TEST_F(InterceptorTest, TheServingSideRefusesBeforeTheHandler) {
  s2_->begin = [](ServerCallInfo& call) { call.Refuse(absl::PermissionDeniedError("who are you")); };
  ServeAndOpenIntercepted();
  ExpectError(CallAndRun(), absl::StatusCode::kPermissionDenied, Outcome::kNotExecuted, true, "who are you");
  EXPECT_THAT(*notes_, ElementsAre("C1 begin", "C2 begin", "C1 send", "C2 send", "S1 begin", "S2 begin", "S2 end",
                                   "S1 end", "C2 end", "C1 end"));
  EXPECT_EQ(service_.calls, 0);
}

TEST_F(InterceptorTest, TheServingSideAnswersBeforeTheHandler) {
  s1_->begin = [](ServerCallInfo& call) {
    Reply reply;
    reply.set_text("cached");
    call.Answer(reply);
  };
  s1_->follows = false;
  ServeAndOpenIntercepted();
  ExpectOk(CallAndRun(), "cached");
  EXPECT_EQ(service_.calls, 0);
}

TEST_F(InterceptorTest, ARequestIsRefusedBeforeItIsSent) {
  c2_->send = [](OutgoingMessage&) { return absl::InvalidArgumentError("too dear"); };
  ServeAndOpenIntercepted();
  ExpectError(CallAndRun(), absl::StatusCode::kInvalidArgument, Outcome::kNotExecuted, false, "too dear");
  EXPECT_THAT(*notes_, ElementsAre("C1 begin", "C2 begin", "C1 send", "C2 send", "C2 end", "C1 end"));
}

TEST_F(InterceptorTest, ARequestIsRefusedBeforeTheHandler) {
  s1_->receive = [](google::protobuf::Message&) { return absl::InvalidArgumentError("too dear"); };
  ServeAndOpenIntercepted();
  bool ran = false;
  service_.plain = [&](ServerContext&, const Question&) {
    ran = true;
    return Reply();
  };
  ExpectError(CallAndRun(), absl::StatusCode::kInvalidArgument, Outcome::kNotExecuted, true, "too dear");
  EXPECT_FALSE(ran);
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, ARefusedReplyIsAnError) {
  s1_->send = [](OutgoingMessage&) { return absl::DataLossError("leaks"); };
  ServeAndOpenIntercepted();
  ExpectError(CallAndRun(), absl::StatusCode::kDataLoss, Outcome::kExecuted, true, "leaks");
  c1_->receive = [](google::protobuf::Message&) { return absl::DataLossError("unsigned"); };
  s1_->send = nullptr;
  ExpectError(CallAndRun(), absl::StatusCode::kDataLoss, Outcome::kExecuted, false, "unsigned");
  ExpectEachEndedOnce();
}

// --- The end

TEST_F(InterceptorTest, TheStatusIsChangedOnTheWayOut) {
  service_.plain = [](ServerContext&, const Question&) { return absl::NotFoundError("handler"); };
  s2_->end = [](absl::Status& status, ServerContext&) {
    EXPECT_EQ(status.message(), "handler");
    status = absl::AbortedError("s2");
  };
  s1_->end = [](absl::Status& status, ServerContext&) { EXPECT_EQ(status.message(), "s2"); };
  c2_->end = [](absl::Status& status, CallInfo&) {
    EXPECT_EQ(status.message(), "s2");
    EXPECT_TRUE(IsRemote(status));
    status = absl::OutOfRangeError("c2");
  };
  ServeAndOpenIntercepted();
  const Result result = CallAndRun();
  ASSERT_TRUE(result->has_value());
  EXPECT_EQ((*result)->status(), absl::OutOfRangeError("c2"));
  EXPECT_EQ(c1_->last, absl::OutOfRangeError("c2"));
}

TEST_F(InterceptorTest, AnErrorMadeOkGivesAnEmptyReply) {
  service_.plain = [](ServerContext&, const Question&) { return absl::NotFoundError("handler"); };
  c1_->end = [](absl::Status& status, CallInfo&) { status = absl::OkStatus(); };
  ServeAndOpenIntercepted();
  ExpectOk(CallAndRun(), "");
  c1_->end = nullptr;
  s1_->end = [](absl::Status& status, ServerContext&) { status = absl::OkStatus(); };
  ExpectOk(CallAndRun(), "");
}

TEST_F(InterceptorTest, WhatAHookThrowsEndsItsCallOnly) {
  const auto boom = [](auto&&...) -> absl::Status { throw std::runtime_error("boom"); };
  const auto boom_at_the_end = [](auto&&...) { throw std::runtime_error("boom"); };
  ServeAndOpenIntercepted();
  const auto expect_boom = [&](Outcome outcome, bool remote) {
    ExpectError(CallAndRun(), absl::StatusCode::kUnknown, outcome, remote, "boom");
    ExpectEachEndedOnce();
  };
  c2_->begin = [](ClientCallInfo&) { throw std::runtime_error("boom"); };
  expect_boom(Outcome::kNotExecuted, false);
  c2_->begin = nullptr;
  c2_->send = boom;
  expect_boom(Outcome::kNotExecuted, false);
  c2_->send = nullptr;
  c2_->receive = boom;
  expect_boom(Outcome::kExecuted, false);
  c2_->receive = nullptr;
  c2_->end = boom_at_the_end;
  expect_boom(Outcome::kPerhaps, false);
  c2_->end = nullptr;
  s2_->begin = [](ServerCallInfo&) { throw std::runtime_error("boom"); };
  expect_boom(Outcome::kNotExecuted, true);
  s2_->begin = nullptr;
  s2_->receive = boom;
  expect_boom(Outcome::kNotExecuted, true);
  s2_->receive = nullptr;
  s2_->send = boom;
  expect_boom(Outcome::kExecuted, true);
  s2_->send = nullptr;
  s2_->end = boom_at_the_end;
  expect_boom(Outcome::kExecuted, true);
  s2_->end = [](absl::Status&, ServerContext&) { throw 7; };
  ExpectError(CallAndRun(), absl::StatusCode::kUnknown, Outcome::kExecuted, true, "no std::exception");
  s2_->end = nullptr;
  ExpectOk(CallAndRun(), "hi");
}

TEST_F(InterceptorTest, TheHandlersExceptionIsSeen) {
  service_.plain = [](ServerContext&, const Question&) -> absl::StatusOr<Reply> { throw std::runtime_error("bad"); };
  ServeAndOpenIntercepted();
  CallAndRun();
  EXPECT_EQ(s1_->last, absl::UnknownError("bad"));
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, WhatCannotBeCalledIsSeenToo) {
  ServeAndOpenIntercepted();
  const Result result = Call(Ask("hi"), CallOptions(), "not/valid");
  Run();
  ExpectError(result, absl::StatusCode::kInvalidArgument, Outcome::kNotExecuted, false);
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kInvalidArgument);
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, ARequestThatDoesNotParseIsSeen) {
  ServeAndOpenIntercepted();
  mqtt::Client& plain = Plain("web", "rpc1/r/web/1");
  mqtt::Message message("rpc1/q/mqttrpc.test.Echo/dev-1/Echo/web", "\xff\xff");
  message.properties.Set(mqtt::property::kResponseTopic, "rpc1/r/web/1");
  Publish(plain, std::move(message));
  EXPECT_EQ(s1_->last.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(*notes_, ElementsAre("S1 begin", "S2 begin", "S2 end", "S1 end"));
}

TEST_F(InterceptorTest, CancellationReachesTheEndOnBothSides) {
  service_.coroutine = [](ServerContext& context, const Question&) -> test::EchoService::Coroutine {
    asio::steady_timer timer(context.executor(), std::chrono::hours(1));
    co_await timer.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
    co_return Reply();
  };
  ServeAndOpenIntercepted();
  asio::cancellation_signal signal;
  std::optional<absl::Status> ended;
  channel_->Call<Reply>(
      kEcho, kEchoMethods[0], "dev-1", Ask("hi"), CallOptions(),
      asio::bind_cancellation_slot(signal.slot(), [&](const absl::StatusOr<Reply>& reply) { ended = reply.status(); }));
  Run();
  EXPECT_EQ(c1_->ended + s1_->ended, 0);
  signal.emit(asio::cancellation_type::terminal);
  Run();
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(s1_->last.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(s1_->last.message(), "cancelled by the caller");
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, TheDeadlineIsToldOnBothSides) {
  std::optional<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.emplace(std::move(call)); };
  ServeAndOpenIntercepted();
  CallAndRun();
  world_.faults().From("me").Freeze();  // Or the caller cancels it first.
  world_.Advance(seconds(6));
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(s1_->ended, 0);
  open.reset();  // The handler ends, too late.
  EXPECT_EQ(s1_->last.code(), absl::StatusCode::kDeadlineExceeded);
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, OneWayCallsHaveNoReply) {
  ServeAndOpenIntercepted();
  CallOptions options;
  options.one_way = true;
  ExpectOk(CallAndRun("hi", options), "");
  EXPECT_THAT(*notes_, testing::Not(testing::Contains("C1 receive")));
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, ADestroyedChannelEndsItsCallsOnce) {
  std::optional<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.emplace(std::move(call)); };
  ServeAndOpenIntercepted();
  CallAndRun();
  channel_.reset();
  EXPECT_EQ(c1_->ended, 1);
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kCancelled);
  Run();
  open.reset();
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, ACallThatIsNeverAwaitedEnds) {
  ServeAndOpenIntercepted();
  {
    CallInfo info;
    CallOptions options;
    options.info = &info;
    auto call = channel_->Call<Reply>(kEcho, kEchoMethods[0], "dev-1", Ask("hi"), options, asio::use_awaitable);
    EXPECT_EQ(c1_->begun, 1);
  }
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kCancelled);
  ExpectEachEndedOnce();
}

TEST_F(InterceptorTest, ADestroyedServerEndsItsCallsOnce) {
  service_.coroutine = [](ServerContext& context, const Question&) -> test::EchoService::Coroutine {
    asio::steady_timer timer(context.executor(), std::chrono::hours(1));
    co_await timer.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
    co_return Reply();
  };
  ServeAndOpenIntercepted();
  CallAndRun();
  server_.reset();
  Run();
  EXPECT_EQ(s1_->ended, 1);
  EXPECT_EQ(s1_->last, absl::CancelledError("server is gone"));
}

TEST_F(InterceptorTest, HooksMayUseTheChannel) {
  ServeAndOpenIntercepted();
  Result inner;
  c1_->begin = [&](ClientCallInfo&) { c1_->begin = nullptr; };
  c1_->end = [&](absl::Status&, CallInfo&) {
    c1_->end = nullptr;
    EXPECT_EQ(channel_->calls_under_way(), 0u);
    inner = Call(Ask("inner"));
  };
  ExpectOk(CallAndRun(), "hi");
  ExpectOk(inner, "inner");
}

}  // namespace
}  // namespace mqttrpc
