#include "dispatcher.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher_host.h"
#include "echo_service.h"
#include "messages.h"

namespace mqttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::EchoService;
using test::Question;
using test::Reply;
using test::UserProperty;
using test::View;
using testing::HasSubstr;
using testing::SizeIs;
namespace property = mqtt::property;

class Log final : public mqtt::LogSink {
 public:
  bool Wants(mqtt::LogLevel) const override { return true; }
  void Write(mqtt::LogLevel level, std::string_view line) override {
    lines.push_back(std::string(mqtt::NameOf(level)) + " " + std::string(line));
  }
  std::vector<std::string> lines;
};

class DispatcherTest : public testing::Test, public test::DispatcherHost {
 protected:
  void SetUp() override {
    options_.maximum_calls = 2;
    MakeDispatcher(options_, log_, "dev-1");
    dispatcher_->Add(service_);
    // Leaves its calls open for the test to end.
    service_.raw = [this](ServerCall call) { open_.push_back(std::move(call)); };
  }
  void TearDown() override { open_.clear(); }

  void SendAnswer(mqtt::Message message) override { answers_.push_back(std::move(message)); }
  void SendFrame(mqtt::Message message, std::shared_ptr<ServerCall::State>, std::size_t) override {
    answers_.push_back(std::move(message));
  }
  void Step(mqtt::Completion<bool> done, bool yes) override { done(yes); }

  mqtt::Message Request(std::string_view id = "id-1", std::string_view method = "Echo",
                        std::string_view target = "dev-1", std::string_view service = "mqttrpc.test.Echo") {
    RequestOut request;
    request.service = service;
    request.target = target;
    request.method = method;
    request.caller = "me";
    request.response_topic = "rpc1/r/me/1";
    request.correlation_data = id;
    request.remaining = seconds(5);
    Question question;
    question.set_text("hi");
    return codec_.EncodeRequest(request, question.SerializeAsString());
  }
  void Arrive(const mqtt::Message& message) { dispatcher_->Arrived(View(message), now_); }
  void Advance(milliseconds step) {
    now_ += step;
    dispatcher_->TimeIs(now_);
  }
  void AnswerOpenCall(std::size_t index = 0) {
    Reply reply;
    reply.set_text("done");
    open_.at(index).Finish(absl::OkStatus(), &reply);
  }
  mqtt::Message Cancel(std::string_view id = "id-1") {
    RequestOut request;
    request.service = "mqttrpc.test.Echo";
    request.target = "dev-1";
    request.caller = "me";
    request.correlation_data = id;
    return codec_.EncodeCancel(request, "");
  }
  void ExpectRefused(const std::string& code, const std::string& text) {
    ASSERT_THAT(answers_, SizeIs(1));
    EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), code);
    EXPECT_EQ(UserProperty(answers_[0], "rpc-x"), "n");
    EXPECT_THAT(UserProperty(answers_[0], "rpc-msg"), HasSubstr(text));
    EXPECT_EQ(service_.calls, 0);
  }

  ServerOptions options_;
  Log log_;
  EchoService service_;
  std::deque<ServerCall> open_;
  std::vector<mqtt::Message> answers_;
};

TEST_F(DispatcherTest, AnswersToTheInboxWithTheSameIdAndTheTimeLeft) {
  Arrive(Request());
  EXPECT_EQ(dispatcher_->running(), 1u);
  now_ += milliseconds(1500);
  AnswerOpenCall();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(answers_[0].topic_name, "rpc1/r/me/1");
  EXPECT_EQ(answers_[0].properties.Get(property::kCorrelationData), "id-1");
  EXPECT_EQ(answers_[0].properties.Get(property::kMessageExpiryInterval), 4u);
  EXPECT_EQ(UserProperty(answers_[0], "rpc-from"), "dev-1");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "");
  EXPECT_EQ(dispatcher_->running(), 0u);
}

TEST_F(DispatcherTest, TakesTheQoSOfTheMethod) {
  Arrive(Request("id-1", "Lossy"));
  AnswerOpenCall();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(answers_[0].qos, mqtt::QoS::kAtMostOnce);
}

TEST_F(DispatcherTest, ServesThePoolToo) {
  Arrive(Request("id-1", "Echo", "_"));
  EXPECT_EQ(service_.calls, 1);
  Arrive(Request("id-2", "Echo", "_all"));
  Arrive(Request("id-3", "Echo", "dev-2"));
  EXPECT_EQ(service_.calls, 1);
}

TEST_F(DispatcherTest, ADuplicateWhileRunningSaysNothing) {
  Arrive(Request());
  Arrive(Request());
  EXPECT_EQ(service_.calls, 1);
  EXPECT_THAT(answers_, SizeIs(0));
}

TEST_F(DispatcherTest, ADuplicateAfterwardsGetsTheSameAnswerWithTheTimeLeft) {
  Arrive(Request());
  AnswerOpenCall();
  now_ += seconds(3);
  Arrive(Request());
  EXPECT_EQ(service_.calls, 1);
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_EQ(answers_[1].payload, answers_[0].payload);
  EXPECT_EQ(answers_[1].properties.Get(property::kMessageExpiryInterval), 2u);
}

TEST_F(DispatcherTest, ADuplicateAfterTheDeadlineNeitherRunsNorIsAnswered) {
  Arrive(Request());
  AnswerOpenCall();
  Advance(seconds(6));
  Arrive(Request());
  EXPECT_EQ(service_.calls, 1);
  EXPECT_THAT(answers_, SizeIs(1));
}

TEST_F(DispatcherTest, WithoutCorrelationDataDuplicatesCannotBeTold) {
  mqtt::Message message = Request();
  message.properties.Remove(mqtt::PropertyId::kCorrelationData);
  Arrive(message);
  Arrive(message);
  EXPECT_EQ(service_.calls, 2);
  AnswerOpenCall(0);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(answers_[0].properties.Get(property::kCorrelationData), std::nullopt);
}

TEST_F(DispatcherTest, AnUnknownMethodIsUnimplemented) {
  Arrive(Request("id-1", "Nope"));
  ExpectRefused("12", "no method");
}

TEST_F(DispatcherTest, AnUnknownServiceIsUnimplemented) {
  Arrive(Request("id-1", "Echo", "dev-1", "acme.Other"));
  ExpectRefused("12", "no service");
}

TEST_F(DispatcherTest, AMalformedPropertyIsInvalid) {
  mqtt::Message message = Request();
  message.properties.Remove(mqtt::PropertyId::kUserProperty);
  test::AddUserProperty(message, "rpc-tmo", "soon");
  Arrive(message);
  ExpectRefused("3", "rpc-tmo");
}

TEST_F(DispatcherTest, APayloadThatDoesNotParseIsInvalidAndNotExecuted) {
  service_.raw = nullptr;
  mqtt::Message message = Request();
  message.payload = "\xFF\xFF\xFF";
  Arrive(message);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "3");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-x"), "n");
}

TEST_F(DispatcherTest, JsonNamesTheFieldItDoesNotKnow) {
  service_.raw = nullptr;
  mqtt::Message message = Request();
  message.properties.Remove(mqtt::PropertyId::kContentType);
  message.payload = R"({"text":"x","brightness":4})";
  Arrive(message);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "3");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-x"), "n");
  EXPECT_THAT(UserProperty(answers_[0], "rpc-msg"), HasSubstr("brightness"));
  EXPECT_EQ(answers_[0].properties.Get(property::kContentType), "application/json");
  EXPECT_EQ(answers_[0].properties.Get(property::kPayloadFormatIndicator), 1);
}

TEST_F(DispatcherTest, AnswersJsonWithJson) {
  service_.raw = nullptr;
  mqtt::Message message = Request();
  message.properties.Remove(mqtt::PropertyId::kContentType);
  message.payload = R"({"text":"hello","number":7})";
  Arrive(message);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(answers_[0].payload, R"({"text":"hello","number":7})");
}

TEST_F(DispatcherTest, OverTheLimitPushesBack) {
  Arrive(Request("id-1"));
  Arrive(Request("id-2"));
  Arrive(Request("id-3"));
  EXPECT_EQ(service_.calls, 2);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "8");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-x"), "n");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-retry"), "100");
  // It did not run, so the same call may come again.
  AnswerOpenCall(0);
  Arrive(Request("id-3"));
  EXPECT_EQ(service_.calls, 3);
}

TEST_F(DispatcherTest, ARequestWhoseTimeIsOverIsDropped) {
  mqtt::Message message = Request();
  message.properties.Set(property::kMessageExpiryInterval, std::uint32_t{0});
  Arrive(message);
  EXPECT_EQ(service_.calls, 0);
  EXPECT_THAT(answers_, SizeIs(0));
}

TEST_F(DispatcherTest, ARequestThatNamesNoTimeHasTheMethodsElseTheServers) {
  for (const std::string_view method : {"Get", "Echo"}) {
    mqtt::Message message = Request(method, method);
    message.properties.Remove(mqtt::PropertyId::kUserProperty);
    message.properties.Remove(mqtt::PropertyId::kMessageExpiryInterval);
    Arrive(message);
  }
  ASSERT_THAT(open_, SizeIs(2));
  EXPECT_EQ(open_[0].context().deadline() - now_, seconds(2));
  EXPECT_EQ(open_[1].context().deadline() - now_, seconds(5));
}

TEST_F(DispatcherTest, AHostileResponseTopicNeitherRunsNorIsAnswered) {
  for (const std::string_view topic : {"$SYS/r/me/1", "rpc1/r/you/1", "rpc1/r/me/+", "home/lamp"}) {
    log_.lines.clear();
    mqtt::Message message = Request();
    message.properties.Set(property::kResponseTopic, topic);
    Arrive(message);
    ASSERT_THAT(log_.lines, SizeIs(1));
    EXPECT_THAT(log_.lines[0], HasSubstr("warning event=request_dropped"));
    EXPECT_THAT(log_.lines[0], HasSubstr("Response Topic"));
  }
  EXPECT_EQ(service_.calls, 0);
  EXPECT_THAT(answers_, SizeIs(0));
}

TEST_F(DispatcherTest, ARetainedRequestIsDropped) {
  mqtt::Message message = Request();
  message.retain = true;
  Arrive(message);
  EXPECT_EQ(service_.calls, 0);
}

TEST_F(DispatcherTest, AOneWayCallRunsOnceAndIsNotAnswered) {
  mqtt::Message message = Request();
  message.properties.Remove(mqtt::PropertyId::kResponseTopic);
  Arrive(message);
  AnswerOpenCall();
  Arrive(message);
  message = Request("id-2", "Nope");
  message.properties.Remove(mqtt::PropertyId::kResponseTopic);
  Arrive(message);
  EXPECT_EQ(service_.calls, 1);
  EXPECT_THAT(answers_, SizeIs(0));
}

TEST_F(DispatcherTest, TheCallersCancelIsAnsweredAndTold) {
  Arrive(Request());
  int told = 0;
  open_[0].context().OnCancel([&] { ++told; });
  EXPECT_FALSE(open_[0].context().cancelled());
  Arrive(Cancel());
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(open_[0].context().cancelled());
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "1");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-x"), "p");
  EXPECT_EQ(dispatcher_->running(), 1u);  // Until the handler says so.
  AnswerOpenCall();
  EXPECT_EQ(dispatcher_->running(), 0u);
  EXPECT_THAT(answers_, SizeIs(1));
  Arrive(Request());  // A duplicate is answered the same.
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_EQ(UserProperty(answers_[1], "rpc-status"), "1");
}

TEST_F(DispatcherTest, ACancelOfNothingIsIgnored) {
  Arrive(Cancel("other"));
  Arrive(Request());
  AnswerOpenCall();
  Arrive(Cancel());
  EXPECT_THAT(answers_, SizeIs(1));
}

TEST_F(DispatcherTest, AtTheDeadlineTheHandlerIsToldAndNothingIsSent) {
  Arrive(Request());
  int told = 0;
  open_[0].context().OnCancel([&] { ++told; });
  Advance(milliseconds(4999));
  EXPECT_EQ(told, 0);
  Advance(milliseconds(1));
  EXPECT_EQ(told, 1);
  AnswerOpenCall();
  EXPECT_THAT(answers_, SizeIs(0));
  EXPECT_EQ(dispatcher_->Next(), mqtt::kNever);
}

TEST_F(DispatcherTest, OnCancelOfACancelledCallIsCalledAtOnce) {
  Arrive(Request());
  Arrive(Cancel());
  int told = 0;
  open_[0].context().OnCancel([&] { ++told; });
  EXPECT_EQ(told, 1);
}

TEST_F(DispatcherTest, WhileDrainingRequestsAreUnavailable) {
  dispatcher_->StartDraining();
  Arrive(Request());
  ExpectRefused("14", "stopping");
}

TEST_F(DispatcherTest, AnAttemptThatIsRefusedLeavesWhatIsKnownOfTheOneBefore) {
  Arrive(Request());
  absl::Status not_run = absl::UnavailableError("busy");
  SetOutcome(not_run, Outcome::kNotExecuted);
  open_[0].Finish(not_run, nullptr);
  ASSERT_THAT(answers_, SizeIs(1));
  dispatcher_->StartDraining();
  mqtt::Message second = Request();
  test::AddUserProperty(second, "rpc-att", "2");
  Arrive(second);
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_THAT(UserProperty(answers_[1], "rpc-msg"), HasSubstr("stopping"));
  Arrive(Request());  // What QoS 1 delivers once more.
  ASSERT_THAT(answers_, SizeIs(3));
  EXPECT_EQ(UserProperty(answers_[2], "rpc-msg"), "busy");
  EXPECT_EQ(service_.calls, 1);
}

TEST_F(DispatcherTest, AHandlerThatThrowsAnswersUnknown) {
  service_.raw = nullptr;
  service_.plain = [](ServerContext&, const Question&) -> absl::StatusOr<Reply> {
    throw std::runtime_error("on fire");
  };
  Arrive(Request());
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "2");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-msg"), "on fire");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-x"), "y");
}

TEST_F(DispatcherTest, ACallThatIsForgottenAnswersInternal) {
  Arrive(Request());
  open_.clear();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "13");
}

TEST_F(DispatcherTest, AnAnswerOverTheBrokersPacketSizeIsReplaced) {
  dispatcher_->Connected(true, 300, 100, now_);
  Arrive(Request());
  Reply reply;
  reply.set_text(std::string(300, 'x'));
  open_[0].Finish(absl::OkStatus(), &reply);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "8");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-x"), "y");
  EXPECT_THAT(UserProperty(answers_[0], "rpc-msg"), HasSubstr("300 go in one packet"));
}

TEST_F(DispatcherTest, ReplyMetadataTravelsAlsoWithAnError) {
  service_.raw = nullptr;
  service_.plain = [](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
    context.reply_metadata().Add("k", context.metadata().Get("k").value_or("none"));
    return absl::NotFoundError("x");
  };
  mqtt::Message message = Request();
  test::AddUserProperty(message, "k", "v");
  Arrive(message);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "k"), "v");
}

TEST_F(DispatcherTest, ReplyMetadataThatCannotTravelIsOurHandlersFault) {
  service_.raw = nullptr;
  service_.plain = [](ServerContext& context, const Question&) -> absl::StatusOr<Reply> {
    context.reply_metadata().Add("rpc-x", "n");
    return Reply();
  };
  Arrive(Request());
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(UserProperty(answers_[0], "rpc-status"), "13");
  EXPECT_EQ(UserProperty(answers_[0], "rpc-x"), "y");
}

// A call that outlives everything that could take its answer.
TEST_F(DispatcherTest, ACallMayOutliveTheDispatcher) {
  Arrive(Request());
  dispatcher_.reset();
  sink_.reset();
  EXPECT_EQ(open_[0].context().caller(), "me");
  AnswerOpenCall();
}

}  // namespace
}  // namespace mqttrpc
