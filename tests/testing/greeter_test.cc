// A service on a bad network, tested without one.
#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hello.mqttrpc.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/testing/matchers.h"
#include "mqttrpc/testing/world.h"

using namespace mqttrpc::testing;  // World, PacketKind, IsPublish ...
using ::testing::ElementsAre;
using ::testing::StartsWith;

class Greeter final : public hello::v1::GreeterService {
  absl::StatusOr<hello::v1::HelloReply> Hello(mqttrpc::ServerContext&,
                                              const hello::v1::HelloRequest& request) override {
    hello::v1::HelloReply reply;
    reply.set_text("Hello, " + request.name() + "!");
    return reply;
  }
};

class GreeterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.Add(greeter_);
    ASSERT_TRUE(world_.Run(server_.Start()).ok());
    ASSERT_TRUE(world_.UntilConnected(world_.client("backend")).ok());
    request_.set_name("Ada");
  }

  World world_;                       // First: it must outlive what is made on top of it.
  RecordingOnFailure print_{world_};  // What went over the wire, if a test fails.
  Greeter greeter_;
  mqttrpc::Server server_{world_.NewClient("device")};
  mqttrpc::Channel channel_{world_.NewClient("backend")};
  hello::v1::GreeterStub stub_{channel_, "device"};
  hello::v1::HelloRequest request_;
};

TEST_F(GreeterTest, AnswersAlthoughTheNetworkFailsUnderTheAnswer) {
  const FaultRule cut = world_.faults().From("device").Next(PacketKind::kPublish).CutBefore();
  const auto reply = world_.Run(stub_.Hello(request_));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "Hello, Ada!");
  EXPECT_EQ(cut.hits(), 1u);
}

// The device does not say that it is at work on a long call: nobody waits for hours.
TEST_F(GreeterTest, ACallToASilentDeviceEndsLongBeforeItsDeadline) {
  world_.faults().To("backend").Freeze();
  mqttrpc::CallOptions options;
  options.timeout = std::chrono::hours(2);  // Of virtual time: this test takes a moment.
  const auto begin = world_.elapsed();
  const auto reply = world_.Run(stub_.Hello(request_, options), std::chrono::hours(3));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(world_.elapsed() - begin, std::chrono::seconds(6));
}

TEST_F(GreeterTest, OneCallIsOneMessageEachWay) {
  world_.recorder().Clear();
  ASSERT_TRUE(world_.Run(stub_.Hello(request_)).ok());
  EXPECT_THAT(world_.recorder().From("backend", PacketKind::kPublish), ElementsAre(IsPublish(StartsWith("rpc1/q/"))));
  EXPECT_THAT(world_.recorder().From("device", PacketKind::kPublish),
              ElementsAre(IsPublish(StartsWith("rpc1/r/backend/"))));
}
