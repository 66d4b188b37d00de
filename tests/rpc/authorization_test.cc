#include "mqttrpc/rpc/authorization.h"

#include "interceptor_recorder.h"
#include "stack.h"

namespace mqttrpc {
namespace {

using test::Ask;
using test::kEchoMethods;

constexpr std::string_view kService = "acme.Lamp";

TEST(AuthorizationTest, WithoutRulesNobodyMayCall) {
  const Authorization none(std::vector<AccessRule>{});
  EXPECT_FALSE(none.Allows("me", kService, "On"));
}

TEST(AuthorizationTest, ARuleAllowsWhatItNames) {
  const Authorization one(std::vector<AccessRule>{{"me", "acme.Lamp/On"}});
  EXPECT_TRUE(one.Allows("me", kService, "On"));
  EXPECT_FALSE(one.Allows("me", kService, "Off"));
  EXPECT_FALSE(one.Allows("me", "acme.Lamp2", "On"));
  EXPECT_FALSE(one.Allows("you", kService, "On"));
  EXPECT_FALSE(one.Allows("me2", kService, "On"));
}

TEST(AuthorizationTest, ARuleMayNameAServiceOrAll) {
  const Authorization some({{"me", "acme.Lamp"}, {"root", "*"}});
  EXPECT_TRUE(some.Allows("me", kService, "On"));
  EXPECT_TRUE(some.Allows("me", kService, "Off"));
  EXPECT_FALSE(some.Allows("me", "acme.Door", "Open"));
  EXPECT_TRUE(some.Allows("root", "acme.Door", "Open"));
}

TEST(AuthorizationTest, ARuleMayNameEveryCaller) {
  const Authorization open({{"*", "acme.Lamp/State"}, {"me", "acme.Lamp/On"}});
  EXPECT_TRUE(open.Allows("you", kService, "State"));
  EXPECT_TRUE(open.Allows("me", kService, "State"));
  EXPECT_TRUE(open.Allows("me", kService, "On"));
  EXPECT_FALSE(open.Allows("you", kService, "On"));
}

// Only a whole `*` is a pattern.
TEST(AuthorizationTest, OtherStarsAndEmptyNamesMatchNothing) {
  const Authorization odd({{"me*", "*"}, {"", "*"}, {"me", "acme.*"}, {"me", "acme.Lamp/*"}, {"me", ""}});
  EXPECT_FALSE(odd.Allows("me", kService, "On"));
  EXPECT_FALSE(odd.Allows("me2", kService, "On"));
}

class AuthorizationStackTest : public test::StackTest {};

TEST_F(AuthorizationStackTest, RefusesBeforeTheHandlerAndLetsInWhoMay) {
  ServerOptions serving;
  serving.interceptors = {std::make_shared<Authorization>(
      std::vector<AccessRule>{{"me", "mqttrpc.test.Echo/Echo"}, {"you", "mqttrpc.test.Echo"}})};
  Serve(serving);
  Open();
  const auto allowed = Call(Ask("hi"));
  Run();
  ExpectOk(allowed, "hi");
  const auto refused = Call(Ask("hi"), CallOptions(), "dev-1", kEchoMethods[1]);
  Run();
  ExpectError(refused, absl::StatusCode::kPermissionDenied, Outcome::kNotExecuted, true,
              "caller \"me\" may not call mqttrpc.test.Echo/Get");
  EXPECT_EQ(service_.calls, 1);
}

TEST_F(AuthorizationStackTest, WhatIsOutsideOfItSeesRefusedCalls) {
  const test::Notes notes = std::make_shared<std::vector<std::string>>();
  auto outside = std::make_shared<test::RecordingServer>("outside", notes);
  auto inside = std::make_shared<test::RecordingServer>("inside", notes);
  ServerOptions serving;
  serving.interceptors = {outside, std::make_shared<Authorization>(std::vector<AccessRule>{}), inside};
  Serve(serving);
  Open();
  Call(Ask("hi"));
  Run();
  EXPECT_THAT(*notes, testing::ElementsAre("outside begin", "outside end"));
  EXPECT_EQ(outside->last.code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace mqttrpc
