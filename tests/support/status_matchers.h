// EXPECT_THAT(status, IsOk()); EXPECT_THAT(result, IsOkAndHolds(3));
// EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled, HasSubstr("why")));
#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::test {

// No copies: ThreadSanitizer sees a copy's end only in part, since that is in Abseil's own
// library, and takes what another thread does then for a race.
// What is matched outlives the match. NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter)
inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg);
  return StatusOf(arg).ok();
}

MATCHER_P(IsOkAndHolds, value, "is OK and holds the value") {
  *result_listener << StatusOf(arg);
  return arg.ok() && testing::ExplainMatchResult(value, *arg, result_listener);
}

MATCHER_P(StatusIs, code, "has status code " + absl::StatusCodeToString(code)) {
  *result_listener << StatusOf(arg);
  return StatusOf(arg).code() == code;
}

MATCHER_P2(StatusIs, code, message, "has status code " + absl::StatusCodeToString(code) + " and that message") {
  *result_listener << StatusOf(arg);
  return StatusOf(arg).code() == code &&
         testing::ExplainMatchResult(message, std::string(StatusOf(arg).message()), result_listener);
}

// Carries that MQTT Reason Code.
MATCHER_P(HasReasonCode, code, "carries the Reason Code") {
  *result_listener << StatusOf(arg);
  return mqtt::ReasonCodeOf(StatusOf(arg)) == std::optional<mqtt::ReasonCode>(code);
}

}  // namespace mqttrpc::test
