// The golden code at work: called through a channel, a broker in memory and a
// server, in one thread under manual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "golden/greeter.mqttrpc.h"
#include "golden/names.mqttrpc.h"
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
using google::protobuf::Empty;

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

class GeneratedCodeTest : public ::testing::Test {
 protected:
  GeneratedCodeTest() : broker_(io_.get_executor(), BrokerOptions()) {
    ServerOptions options;
    options.instance = "device-1";
    server_.emplace(device_, options);
    server_->Add(greeter_);
    server_->Add(names_);
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
  mqtt::Client device_{io_.get_executor(), ClientOptions()};
  mqtt::Client caller_{io_.get_executor(), ClientOptions()};
  std::optional<Server> server_;
  Channel channel_{caller_};
  const GreeterStub greeter_stub_{channel_, "device-1"};
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
