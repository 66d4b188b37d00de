// Whether and when a failed attempt is followed by another one. No I/O.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/rpc/retry_policy.h"

namespace mqttrpc {

struct PendingCall;

// What a call has that may be tried again. Due when the next attempt is.
struct RetryState final : mqtt::DeadlineQueue::Entry {
  RetryState(PendingCall& call_in, const RetryPolicy& policy_in, bool waits_for_ready_in)
      : call(call_in), policy(policy_in), waits_for_ready(waits_for_ready_in) {}

  bool hedges() const { return policy.hedging_delay.count() > 0; }
  bool Lists(absl::StatusCode code) const {
    return std::find(policy.codes.begin(), policy.codes.end(), code) != policy.codes.end();
  }

  PendingCall& call;
  const RetryPolicy& policy;  // The channel's or the call's.
  const bool waits_for_ready;
  int failures = 0;           // Attempts that have failed.
  bool may_have_run = false;  // One of them.
  absl::Status last_failure;
};

// How long to wait after `failures` of them; `chance` is uniform in [0, 1).
std::chrono::milliseconds BackoffOf(const RetryPolicy& policy, int failures, double chance);

// kInvalidArgument says what is out of range.
absl::Status CheckRetryPolicy(const RetryPolicy& policy);

// The channel's bucket.
class RetryTokens {
 public:
  explicit RetryTokens(const RetryThrottle& throttle) : throttle_(throttle), tokens_(throttle.maximum_tokens) {}

  void Succeeded() { tokens_ = std::min<double>(throttle_.maximum_tokens, tokens_ + throttle_.token_ratio); }
  void Failed() { tokens_ = std::max(0.0, tokens_ - 1); }
  bool allows() const { return throttle_.maximum_tokens == 0 || tokens_ > throttle_.maximum_tokens / 2.0; }

 private:
  const RetryThrottle throttle_;
  double tokens_;
};

}  // namespace mqttrpc
