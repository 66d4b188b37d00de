#include "mqttrpc/rpc/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/status.pb.h"
#include "rpc_test.pb.h"
#include "status_wire.h"

namespace mqttrpc {
namespace {

using std::chrono::milliseconds;
using test::Hint;
using test::Reason;

Reason Because(std::string why) {
  Reason reason;
  reason.set_why(std::move(why));
  return reason;
}

// What the caller sees of what a handler returned.
absl::Status OverTheWire(const absl::Status& status, ContentType content_type) {
  bool lost = false;
  const std::string payload = ErrorPayload(status, content_type, lost);
  EXPECT_FALSE(lost);
  return FromWire(ToWire(status), payload, content_type);
}

class StatusWireTest : public testing::TestWithParam<ContentType> {};
INSTANTIATE_TEST_SUITE_P(Types, StatusWireTest, testing::Values(ContentType::kProtobuf, ContentType::kJson));

TEST_P(StatusWireTest, EveryCodeArrivesWithItsText) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    const absl::Status there = OverTheWire(status, GetParam());
    EXPECT_EQ(there.raw_code(), code);
    EXPECT_EQ(there.message(), "why");
    EXPECT_TRUE(IsRemote(there));
    EXPECT_EQ(OutcomeOf(there), Outcome::kExecuted);
    EXPECT_EQ(RetryAfter(there), std::nullopt);
  }
}

TEST_P(StatusWireTest, DetailsArriveTyped) {
  absl::Status status = absl::FailedPreconditionError("no");
  Hint hint;
  hint.set_level(3);
  AddDetail(status, hint);
  AddDetail(status, Because("first"));
  AddDetail(status, Because("second"));  // Replaces it.
  const absl::Status there = OverTheWire(status, GetParam());
  ASSERT_TRUE(DetailOf<Reason>(there).has_value());
  EXPECT_EQ(DetailOf<Reason>(there)->why(), "second");
  EXPECT_EQ(DetailOf<Hint>(there)->level(), 3);
  EXPECT_FALSE(DetailOf<test::Reply>(there).has_value());
}

TEST_P(StatusWireTest, AHandlerMaySayOutcomeAndPushBack) {
  absl::Status status = absl::UnavailableError("later");
  SetOutcome(status, Outcome::kNotExecuted);
  SetRetryAfter(status, milliseconds(250));
  const absl::Status there = OverTheWire(status, GetParam());
  EXPECT_EQ(OutcomeOf(there), Outcome::kNotExecuted);
  EXPECT_EQ(RetryAfter(there), milliseconds(250));
}

TEST_P(StatusWireTest, TextIsCutAndMadeUtf8ButThePayloadHasMore) {
  const std::string text = std::string(2000, 'x') + "\xFF";
  const absl::Status status = absl::InternalError(text);
  EXPECT_EQ(ToWire(status).text.size(), kMaximumStatusText);
  EXPECT_EQ(OverTheWire(status, GetParam()).message(), std::string(2000, 'x') + "?");
}

TEST(StatusTest, ThePayloadIsWhatGoogleRpcStatusIs) {
  absl::Status status = absl::NotFoundError("gone");
  AddDetail(status, Because("x"));
  bool lost = false;
  Status message;
  ASSERT_TRUE(message.ParseFromString(ErrorPayload(status, ContentType::kProtobuf, lost)));
  EXPECT_EQ(message.code(), 5);
  EXPECT_EQ(message.message(), "gone");
  ASSERT_EQ(message.details_size(), 1);
  EXPECT_EQ(message.details(0).type_url(), "type.googleapis.com/mqttrpc.test.Reason");
  EXPECT_EQ(ErrorPayload(status, ContentType::kJson, lost),
            R"({"code":5,"message":"gone","details":[{"@type":"type.googleapis.com/mqttrpc.test.Reason","why":"x"}]})");
}

TEST(StatusTest, ADetailThatJsonCannotSayIsLeftOutAndTold) {
  absl::Status status = absl::NotFoundError("gone");
  status.SetPayload("type.googleapis.com/acme.Unknown", absl::Cord("x"));
  bool lost = false;
  EXPECT_EQ(ErrorPayload(status, ContentType::kJson, lost), R"({"code":5,"message":"gone"})");
  EXPECT_TRUE(lost);
}

// A handler that hands on the status of a call of its own says nothing about its own fate.
TEST(StatusTest, TheFateOfAnInnerCallIsNotTheOuterOnes) {
  WireStatus wire;
  wire.code = 14;
  wire.outcome = Outcome::kNotExecuted;
  wire.retry_after = milliseconds(5);
  const absl::Status inner = FromWire(wire, "", ContentType::kProtobuf);
  EXPECT_EQ(OutcomeOf(inner), Outcome::kNotExecuted);
  EXPECT_EQ(ToWire(inner).outcome, Outcome::kExecuted);
  EXPECT_EQ(ToWire(inner).retry_after, std::nullopt);
}

TEST(StatusTest, APeerCannotWriteOurOwnPayloads) {
  Status message;
  message.set_code(14);
  for (const std::string url : {"mqttrpc/rpc.call", "mqttrpc/rpc.handler", "mqttrpc/mqtt.reason_code"}) {
    google::protobuf::Any& any = *message.add_details();
    any.set_type_url(url);
    any.set_value("n-1");
  }
  WireStatus wire;
  wire.code = 14;
  const absl::Status status = FromWire(wire, message.SerializeAsString(), ContentType::kProtobuf);
  EXPECT_EQ(OutcomeOf(status), Outcome::kPerhaps);
  EXPECT_TRUE(IsRemote(status));
  EXPECT_EQ(mqtt::ReasonCodeOf(status), std::nullopt);
}

TEST(StatusTest, APayloadThatDoesNotParseCostsTheDetailsOnly) {
  WireStatus wire;
  wire.code = 9;
  wire.text = "text";
  for (const ContentType type : {ContentType::kProtobuf, ContentType::kJson}) {
    const absl::Status status = FromWire(wire, "\xFF\xFF{", type);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.message(), "text");
  }
}

TEST(StatusTest, OurOwnStatusIsLocal) {
  const absl::Status status = LocalStatus(absl::StatusCode::kUnavailable, "x", Outcome::kNotExecuted);
  EXPECT_FALSE(IsRemote(status));
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotExecuted);
  EXPECT_EQ(OutcomeOf(absl::UnavailableError("x")), Outcome::kPerhaps);
  EXPECT_EQ(RetryAfter(absl::UnavailableError("x")), std::nullopt);
}

TEST(StatusTest, NeverTryAgainIsMinusOne) {
  absl::Status status = absl::UnavailableError("x");
  SetRetryAfter(status, milliseconds(-500));
  EXPECT_EQ(ToWire(status).retry_after, milliseconds(-1));
}

TEST(StatusTest, OkHasNoDetails) {
  absl::Status status;
  AddDetail(status, Because("x"));
  SetOutcome(status, Outcome::kPerhaps);
  SetRetryAfter(status, milliseconds(1));
  EXPECT_EQ(status, absl::OkStatus());
}

TEST(StatusTest, ACodeThatGrpcDoesNotKnowIsUnknown) {
  EXPECT_EQ(ToWire(absl::Status(static_cast<absl::StatusCode>(77), "x")).code, 2);
}

}  // namespace
}  // namespace mqttrpc
