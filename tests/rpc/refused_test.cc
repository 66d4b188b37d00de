// Which ends of a frame's sending end its call.
#include "refused.h"

#include <gtest/gtest.h>

namespace mqttrpc {
namespace {

using mqtt::ReasonCode;

TEST(RefusedTest, WhatMayGoAnotherTimeIsNotRefusedForGood) {
  EXPECT_FALSE(IsRefusedForGood(absl::OkStatus()));
  EXPECT_FALSE(IsRefusedForGood(absl::UnavailableError("connection lost")));
  EXPECT_FALSE(IsRefusedForGood(absl::CancelledError("client was stopped")));
  EXPECT_FALSE(IsRefusedForGood(absl::DeadlineExceededError("expired")));
  EXPECT_FALSE(IsRefusedForGood(absl::ResourceExhaustedError("client queue is full")));
  EXPECT_FALSE(IsRefusedForGood(mqtt::StatusFrom(ReasonCode::kQuotaExceeded, "queue of the other side is full")));
}

TEST(RefusedTest, WhatNeverGoesIsRefusedForGood) {
  EXPECT_TRUE(IsRefusedForGood(mqtt::StatusFrom(ReasonCode::kPacketTooLarge, "too large")));
  EXPECT_TRUE(IsRefusedForGood(mqtt::StatusFrom(ReasonCode::kNotAuthorized, "no")));
  EXPECT_TRUE(IsRefusedForGood(absl::InvalidArgumentError("topic")));
}

}  // namespace
}  // namespace mqttrpc
