#include "mqttrpc/rpc/default_deadlines.h"

#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::kEcho;
using test::kEchoMethods;
using test::milliseconds;

class DefaultDeadlinesTest : public test::StackTest {
 protected:
  // What the call's timeout is, by when it ends unanswered.
  milliseconds TimeoutOf(DefaultDeadlines::Table table, const MethodInfo& method, CallOptions options = CallOptions()) {
    ChannelOptions calling;
    calling.interceptors = {std::make_shared<DefaultDeadlines>(std::move(table))};
    Plain("silent", "rpc1/q/+/silent/+/+");  // Takes requests and says nothing.
    Open(calling);
    const mqtt::Duration begin = world_.elapsed();
    const auto ended = world_.Run<absl::StatusOr<test::Reply>>(
        [&](auto done) { channel_->Call<test::Reply>(kEcho, method, "silent", Ask("hi"), options, std::move(done)); });
    EXPECT_EQ(ended.status().code(), absl::StatusCode::kDeadlineExceeded) << ended.status();
    return std::chrono::duration_cast<milliseconds>(world_.elapsed() - begin);
  }
};

constexpr milliseconds kOfMethod{100}, kOfService{200}, kOfAll{300};

TEST_F(DefaultDeadlinesTest, TheMostExactNameCounts) {
  const DefaultDeadlines::Table table{
      {"mqttrpc.test.Echo/Get", kOfMethod}, {"mqttrpc.test.Echo", kOfService}, {"*", kOfAll}};
  EXPECT_EQ(TimeoutOf(table, kEchoMethods[1]), kOfMethod);
  EXPECT_EQ(TimeoutOf(table, kEchoMethods[0]), kOfService);
  EXPECT_EQ(TimeoutOf({{"other.Service", kOfService}, {"*", kOfAll}}, kEchoMethods[0]), kOfAll);
}

TEST_F(DefaultDeadlinesTest, GoesBeforeTheProtoAndBehindTheCaller) {
  CallOptions options;
  options.timeout = milliseconds(700);
  EXPECT_EQ(TimeoutOf({{"*", kOfAll}}, kEchoMethods[1], options), milliseconds(700));
  EXPECT_EQ(TimeoutOf({{"*", kOfAll}}, kEchoMethods[1]), kOfAll);
  EXPECT_EQ(TimeoutOf({}, kEchoMethods[1]), kEchoMethods[1].timeout);
}

TEST_F(DefaultDeadlinesTest, ZeroIsNotThere) {
  EXPECT_EQ(TimeoutOf({{"mqttrpc.test.Echo", milliseconds(0)}, {"*", kOfAll}}, kEchoMethods[0]), kOfAll);
}

}  // namespace
}  // namespace mqttrpc
