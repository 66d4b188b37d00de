// The golden code at work: called through a channel, a broker in memory and a
// server, in one thread under manual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "golden/greeter.mqttrpc.h"
#include "golden/names.mqttrpc.h"
#include "golden/streams.mqttrpc.h"
#include "golden/types.mqttrpc.h"
#include "mqttrpc/broker/broker.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/rpc/status.h"
#include "support/manual_clock.h"
#include "support/seeded_random.h"

namespace mqttrpc::test {
namespace {

using golden::greeter::v1::GreeterService;
using golden::greeter::v1::GreeterStub;
using golden::greeter::v1::HelloReply;
using golden::greeter::v1::HelloRequest;
using golden::streams::Event;
using golden::streams::Query;
using google::protobuf::Empty;
using ::testing::ElementsAre;

// Hello at once, Open as a coroutine, Wave not at all.
class Greeter final : public GreeterService {
 public:
  absl::StatusOr<HelloReply> Hello(ServerContext&, const HelloRequest& request) override {
    if (request.name().empty()) return absl::InvalidArgumentError("name is empty");
    HelloReply reply;
    reply.set_text("Hello, " + request.name() + (request.has_times() ? "!" : "."));
    return reply;
  }

  asio::awaitable<absl::StatusOr<Empty>> CoOpen(ServerContext& context, const Empty&) override {
    co_await asio::post(context.executor(), asio::use_awaitable);
    ++opened;
    co_return Empty();
  }

  int opened = 0;
};

// A method of each kind of renamed thing.
class Names final : public golden::names::Foo2Service {
 public:
  absl::StatusOr<golden::names::class__delete> delete__(ServerContext& context, const golden::names::class_&) override {
    asked = context.method();
    return golden::names::class__delete();
  }
  asio::awaitable<absl::StatusOr<golden::names::Foo>> CoHello_(ServerContext& context,
                                                               const golden::names::Foo&) override {
    asked = context.method();
    co_return golden::names::Foo();
  }

  std::string asked;
};

// Get not at all, the streams as coroutines.
class Feed final : public golden::streams::FeedService {
 public:
  asio::awaitable<absl::Status> CoWatch(ServerContext&, const Query& request, ServerWriter<Event>& writer) override {
    Event event;
    for (int i = 0; i < request.count(); ++i) {
      event.set_number(i);
      if (!co_await writer.Write(event)) co_return absl::CancelledError("nobody reads");
    }
    co_return absl::OkStatus();
  }

  asio::awaitable<absl::StatusOr<Query>> CoUpload(ServerContext&, ServerReader<Event>& reader) override {
    Query sum;
    for (;;) {
      const std::optional<Event> event = co_await reader.Read();
      if (!event.has_value()) co_return sum;
      sum.set_count(sum.count() + event->number());
    }
  }

  asio::awaitable<absl::Status> CoTail(ServerContext&, ServerReaderWriter<Query, Event>& stream) override {
    Event event;
    for (;;) {
      const std::optional<Query> query = co_await stream.Read();
      if (!query.has_value()) co_return absl::AbortedError("enough");
      event.set_number(query->count());
      co_await stream.Write(event);
    }
  }
};

class GeneratedCodeTest : public ::testing::Test {
 protected:
  GeneratedCodeTest() : broker_(io_.get_executor(), BrokerOptions()) {
    ServerOptions options;
    options.instance = "device-1";
    server_.emplace(device_, options);
    server_->Add(greeter_);
    server_->Add(names_);
    server_->Add(feed_);
    device_.Start();
    caller_.Start();
    std::optional<absl::Status> started;
    server_->Start([&](absl::Status status) { started = std::move(status); });
    clock_.RunUntilQuiet();
    EXPECT_EQ(started, absl::OkStatus());
  }

  ~GeneratedCodeTest() override { broker_.Stop(); }

  // What `call(token)` completes with.
  template <typename Reply, typename Call>
  absl::StatusOr<Reply> Wait(Call call) {
    std::optional<absl::StatusOr<Reply>> result;
    call([&](absl::StatusOr<Reply> reply) { result = std::move(reply); });
    clock_.RunUntilQuiet();
    return result.value_or(absl::InternalError("not completed"));
  }

  // The same of what completes with something else than a reply.
  template <typename Result, typename Operation>
  std::optional<Result> WaitFor(Operation operation) {
    std::optional<Result> result;
    operation([&](Result value) { result.emplace(std::move(value)); });
    clock_.RunUntilQuiet();
    return result;
  }

  broker::BrokerOptions BrokerOptions() {
    broker::BrokerOptions options;
    options.environment = MakeEnvironment();
    return options;
  }

  mqtt::ClientOptions ClientOptions() {
    mqtt::ClientOptions options;
    options.connector = &broker_.connector();
    options.environment = MakeEnvironment();
    return options;
  }

  mqtt::Environment MakeEnvironment() {
    mqtt::Environment environment;
    environment.clock = &clock_;
    environment.random = &random_;
    return environment;
  }

  asio::io_context io_;
  ManualClock clock_{io_};
  SeededRandom random_;
  broker::Broker broker_;
  Greeter greeter_;
  Names names_;
  Feed feed_;
  mqtt::Client device_{io_.get_executor(), ClientOptions()};
  mqtt::Client caller_{io_.get_executor(), ClientOptions()};
  std::optional<Server> server_;
  Channel channel_{caller_};
  const GreeterStub greeter_stub_{channel_, "device-1"};
  const golden::streams::FeedStub feed_stub_{channel_, "device-1"};
};

TEST_F(GeneratedCodeTest, CallsAPlainHandler) {
  HelloRequest request;
  request.set_name("Ada");
  request.set_times(0);
  const auto reply =
      Wait<HelloReply>([&](auto token) { greeter_stub_.Hello(request, CallOptions(), std::move(token)); });
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "Hello, Ada!");
}

TEST_F(GeneratedCodeTest, CarriesAHandlersError) {
  const auto reply =
      Wait<HelloReply>([&](auto token) { greeter_stub_.Hello(HelloRequest(), CallOptions(), std::move(token)); });
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OutcomeOf(reply.status()), Outcome::kExecuted);
}

TEST_F(GeneratedCodeTest, CallsACoroutineHandlerOfAnyPoolMember) {
  const GreeterStub any(channel_, kAnyInstance);
  const auto reply = Wait<Empty>([&](auto token) { any.Open(Empty(), CallOptions(), std::move(token)); });
  EXPECT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(greeter_.opened, 1);
}

TEST_F(GeneratedCodeTest, AnswersUnimplementedWhereNeitherHandlerIsOverridden) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const auto reply =
      Wait<Empty>([&](auto token) { greeter_stub_.Wave(HelloRequest(), CallOptions(), std::move(token)); });
#pragma GCC diagnostic pop
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(OutcomeOf(reply.status()), Outcome::kNotExecuted);
}

TEST_F(GeneratedCodeTest, KeepsTheNamesOfTheProtoOnTheWire) {
  const golden::names::Foo2Stub stub(channel_, "device-1");
  const auto removed = Wait<golden::names::class__delete>(
      [&](auto token) { stub.delete__(golden::names::class_(), CallOptions(), std::move(token)); });
  EXPECT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(names_.asked, "delete");
  const auto greeted =
      Wait<golden::names::Foo>([&](auto token) { stub.Hello(golden::names::Foo(), CallOptions(), std::move(token)); });
  EXPECT_TRUE(greeted.ok()) << greeted.status();
  EXPECT_EQ(names_.asked, "Hello");
}

TEST_F(GeneratedCodeTest, StreamsReplies) {
  Query query;
  query.set_count(2);
  auto reader = feed_stub_.Watch(query);
  std::vector<int> numbers;
  for (;;) {
    const auto event = WaitFor<std::optional<Event>>([&](auto token) { reader.Read(std::move(token)); });
    ASSERT_TRUE(event.has_value()) << "not completed";
    if (!event->has_value()) break;
    numbers.push_back((*event)->number());
  }
  EXPECT_THAT(numbers, ElementsAre(0, 1));
  EXPECT_EQ(WaitFor<absl::Status>([&](auto token) { reader.Finish(std::move(token)); }), absl::OkStatus());
}

TEST_F(GeneratedCodeTest, StreamsRequests) {
  auto writer = feed_stub_.Upload();
  Event event;
  for (const int number : {3, 4}) {
    event.set_number(number);
    EXPECT_EQ(WaitFor<bool>([&](auto token) { writer.Write(event, std::move(token)); }), true);
  }
  const auto reply = Wait<Query>([&](auto token) { writer.Finish(std::move(token)); });
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->count(), 7);
}

TEST_F(GeneratedCodeTest, StreamsBothWays) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  auto stream = feed_stub_.Tail();
#pragma GCC diagnostic pop
  Query query;
  for (const int count : {5, 6}) {
    query.set_count(count);
    EXPECT_EQ(WaitFor<bool>([&](auto token) { stream.Write(query, std::move(token)); }), true);
    const auto event = WaitFor<std::optional<Event>>([&](auto token) { stream.Read(std::move(token)); });
    ASSERT_TRUE(event.has_value() && event->has_value());
    EXPECT_EQ((*event)->number(), count);
  }
  stream.WritesDone();
  const auto status = WaitFor<absl::Status>([&](auto token) { stream.Finish(std::move(token)); });
  ASSERT_TRUE(status.has_value()) << "not completed";
  EXPECT_EQ(status->code(), absl::StatusCode::kAborted);
}

TEST_F(GeneratedCodeTest, AnswersUnimplementedWhereNobodyWroteTheStream) {
  auto reader = feed_stub_.Parts(golden::parts::Part_Label());
  const auto status = WaitFor<absl::Status>([&](auto token) { reader.Finish(std::move(token)); });
  ASSERT_TRUE(status.has_value()) << "not completed";
  EXPECT_EQ(status->code(), absl::StatusCode::kUnimplemented);
}

TEST(GeneratedInfoTest, SaysWhatStreams) {
  const ServiceInfo& info = golden::streams::FeedService::Info();
  ASSERT_EQ(info.methods.size(), 7U);
  EXPECT_EQ(info.methods[0].kind, MethodKind::kUnary);
  EXPECT_EQ(info.methods[1].kind, MethodKind::kServerStreaming);
  EXPECT_EQ(info.methods[2].kind, MethodKind::kClientStreaming);
  EXPECT_EQ(info.methods[3].kind, MethodKind::kBidiStreaming);
}

// A stream may stay open for as long as it likes, whatever is said of the service's short calls.
TEST(GeneratedInfoTest, KeepsTheServicesTimeoutFromStreams) {
  const ServiceInfo& info = golden::streams::FeedService::Info();
  EXPECT_EQ(info.methods[0].timeout, std::chrono::seconds(3));
  EXPECT_EQ(info.methods[1].timeout, std::chrono::seconds(0));
  EXPECT_EQ(info.methods[2].timeout, std::chrono::minutes(1));
}

TEST(GeneratedInfoTest, HoldsTheOptionsOfTheProto) {
  const ServiceInfo& info = GreeterService::Info();
  EXPECT_EQ(info.name, "golden.greeter.v1.Greeter");
  EXPECT_EQ(info.share_group, "front-desk");
  ASSERT_EQ(info.methods.size(), 3U);
  EXPECT_EQ(info.methods[0].name, "Hello");
  EXPECT_EQ(info.methods[0].timeout, std::chrono::seconds(2));
  EXPECT_EQ(info.methods[0].qos, mqtt::QoS::kAtLeastOnce);
  EXPECT_EQ(info.methods[0].idempotency, Idempotency::kNoSideEffects);
  EXPECT_EQ(info.methods[1].timeout, std::chrono::hours(24));
  EXPECT_EQ(info.methods[1].qos, mqtt::QoS::kAtMostOnce);
  EXPECT_EQ(info.methods[1].idempotency, Idempotency::kIdempotent);
  EXPECT_EQ(info.methods[2].idempotency, Idempotency::kUnknown);
  EXPECT_EQ(golden::types::TypesService::Info().share_group, "");
  EXPECT_EQ(golden::types::TypesService::Info().methods[0].timeout, std::chrono::milliseconds(0));
  EXPECT_TRUE(golden::greeter::v1::SilenceService::Info().methods.empty());
}

}  // namespace
}  // namespace mqttrpc::test
