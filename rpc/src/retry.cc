#include "retry.h"

#include <cmath>

#include <absl/strings/str_cat.h>

namespace mqttrpc {

using std::chrono::milliseconds;

milliseconds BackoffOf(const RetryPolicy& policy, int failures, double chance) {
  const double longest = static_cast<double>(policy.maximum_backoff.count());
  const double first = static_cast<double>(policy.initial_backoff.count());
  const double planned = std::min(longest, first * std::pow(policy.multiplier, failures - 1));
  return milliseconds(static_cast<std::int64_t>(planned * (0.8 + 0.4 * chance)));
}

absl::Status CheckRetryPolicy(const RetryPolicy& policy) {
  constexpr int kMostAttempts = 100;
  constexpr milliseconds kLongest = std::chrono::hours(24);
  if (policy.maximum_attempts < 1 || policy.maximum_attempts > kMostAttempts) {
    return absl::InvalidArgumentError(
        absl::StrCat("maximum_attempts is ", policy.maximum_attempts, "; 1 to 100 are allowed"));
  }
  if (!(policy.multiplier >= 1.0 && policy.multiplier <= 100.0)) {
    return absl::InvalidArgumentError(absl::StrCat("multiplier is ", policy.multiplier, "; 1 to 100 are allowed"));
  }
  if (policy.initial_backoff < milliseconds(1) || policy.maximum_backoff < policy.initial_backoff ||
      policy.maximum_backoff > kLongest) {
    return absl::InvalidArgumentError(absl::StrCat("back-off is ", policy.initial_backoff.count(), " to ",
                                                   policy.maximum_backoff.count(),
                                                   " ms; 1 ms to 1 day are allowed, in this order"));
  }
  if (policy.hedging_delay < milliseconds(0) || policy.hedging_delay > kLongest) {
    return absl::InvalidArgumentError(
        absl::StrCat("hedging_delay is ", policy.hedging_delay.count(), " ms; 0 to 1 day are allowed"));
  }
  return absl::OkStatus();
}

}  // namespace mqttrpc
