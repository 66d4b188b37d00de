// What calls a service, tested against a mock of it, with nothing in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hello.mqttrpc.mock.h"
#include "mqttrpc/testing/local_link.h"

using mqttrpc::testing::LocalLink;
using ::testing::_;
using ::testing::Return;

// The code under test: greets somebody, if only in a general way.
asio::awaitable<std::string> Greet(hello::v1::GreeterStub greeter, std::string name) {
  hello::v1::HelloRequest request;
  request.set_name(std::move(name));
  const auto reply = co_await greeter.Hello(request);
  co_return reply.ok() ? reply->text() : "Hello, whoever you are.";
}

class GreetTest : public ::testing::Test {
 protected:
  GreetTest() { link_.Serve(greeter_); }

  hello::v1::MockGreeterService greeter_;  // First: it must outlive the link.
  LocalLink link_;
  hello::v1::GreeterStub stub_{link_.channel(), LocalLink::kServer};
};

TEST_F(GreetTest, SaysWhatTheGreeterSays) {
  hello::v1::HelloReply reply;
  reply.set_text("Hello, Ada!");
  EXPECT_CALL(greeter_, Hello(_, _)).WillOnce(Return(reply));
  EXPECT_EQ(link_.Run(Greet(stub_, "Ada")), "Hello, Ada!");
}

TEST_F(GreetTest, IsPoliteWithoutAGreeter) {
  EXPECT_CALL(greeter_, Hello(_, _)).WillOnce(Return(absl::UnavailableError("asleep")));
  EXPECT_EQ(link_.Run(Greet(stub_, "Ada")), "Hello, whoever you are.");
}
