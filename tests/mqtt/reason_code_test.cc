#include "mqttrpc/mqtt/reason_code.h"

#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

TEST(ReasonCodeTest, EveryListedValueHasAName) {
  int named = 0;
  for (int value = 0; value < 256; ++value) {
    if (NameOf(static_cast<ReasonCode>(value)) != "Unknown Reason Code") ++named;
  }
  EXPECT_EQ(named, 43);  // 2.4 lists 43 values.
  EXPECT_EQ(NameOf(ReasonCode::kNoMatchingSubscribers), "No matching subscribers");
}

TEST(StatusTest, CarriesItsReasonCode) {
  for (int value = 0x80; value < 256; ++value) {
    const auto code = static_cast<ReasonCode>(value);
    const absl::Status status = StatusFrom(code, "what was wrong");
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(ReasonCodeOf(status), code);
  }
  const absl::Status status = StatusFrom(ReasonCode::kPacketTooLarge, "packet is 3 bytes; broker takes 2");
  EXPECT_EQ(ToStd(status.message()), "Packet too large: packet is 3 bytes; broker takes 2");
  EXPECT_EQ(ToStd(StatusFrom(ReasonCode::kBanned, "").message()), "Banned");
}

TEST(StatusTest, IsOkBelow0x80) {
  for (int value = 0; value < 0x80; ++value) {
    EXPECT_TRUE(StatusFrom(static_cast<ReasonCode>(value), "fine").ok());
  }
}

TEST(StatusTest, OthersCarryNone) {
  EXPECT_EQ(ReasonCodeOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(ReasonCodeOf(absl::InternalError("x")), std::nullopt);
  EXPECT_EQ(ReasonCodeOr(absl::InternalError("x"), ReasonCode::kUnspecifiedError), ReasonCode::kUnspecifiedError);
}

// The list of status.h.
TEST(StatusTest, TranslatesAsDocumented) {
  const auto expect = [](absl::StatusCode code, std::initializer_list<int> values) {
    for (const int value : values) {
      EXPECT_EQ(StatusFrom(static_cast<ReasonCode>(value), "").code(), code) << std::hex << value;
    }
  };
  using enum absl::StatusCode;
  expect(kInvalidArgument, {0x85, 0x8F, 0x90, 0x94, 0x99});
  expect(kInternal, {0x81, 0x82, 0x83, 0x91, 0x92});
  expect(kUnauthenticated, {0x86, 0x8C});
  expect(kPermissionDenied, {0x87, 0x8A});
  expect(kResourceExhausted, {0x93, 0x95, 0x96, 0x97, 0x9F});
  expect(kUnavailable, {0x88, 0x89, 0x8B, 0x8D, 0x8E, 0x9C, 0x9D, 0xA0});
  expect(kUnimplemented, {0x84, 0x9A, 0x9B, 0x9E, 0xA1, 0xA2});
  expect(kUnknown, {0x80, 0x98, 0xA3, 0xFF});
}

}  // namespace
}  // namespace mqttrpc::mqtt
