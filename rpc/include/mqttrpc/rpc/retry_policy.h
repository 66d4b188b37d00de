// When a call that failed is tried again by itself.
#pragma once

#include <chrono>
#include <vector>

#include <absl/status/status.h>

namespace mqttrpc {

// A failed attempt is followed by another one if its code is listed, and either nothing was
// executed (OutcomeOf() in status.h) or the method is declared to bear it (the standard
// option idempotency_level). All attempts have one call id: an instance that has run it
// answers again, and runs it again only if it failed and one of the two holds. The
// responder's word goes first: it may ask for a longer wait, or for no further try
// (RetryAfter()). The deadline is that of the call: an attempt that could not begin before it
// is not waited for. Why so: docs/decisions/0022-retries.md.
struct RetryPolicy {
  RetryPolicy() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // All attempts, the first one too. 1: none is tried again. 1 to 100.
  int maximum_attempts = 1;

  // Before attempt n + 1: initial_backoff * multiplier^(n - 1), at most maximum_backoff, and
  // up to a fifth more or less by chance.
  std::chrono::milliseconds initial_backoff{200};
  std::chrono::milliseconds maximum_backoff{10'000};
  double multiplier = 2.0;

  std::vector<absl::StatusCode> codes{absl::StatusCode::kUnavailable, absl::StatusCode::kResourceExhausted};

  // Hedging: over 0, a further attempt goes out whenever so long nobody has answered,
  // without waiting for a failure; the first good answer counts. Only for methods that bear it, and of use over a pool
  // (kAnyInstance), where another member may be faster. Codes that are not listed end the call.
  std::chrono::milliseconds hedging_delay{0};
};

// Keeps retries from making an overload worse. A bucket of tokens per channel: each failure
// that could be tried again takes one, each success gives `token_ratio` back; while half
// of them or fewer are left, nothing is tried again.
struct RetryThrottle {
  RetryThrottle() = default;

  int maximum_tokens = 0;  // 0: no throttle.
  double token_ratio = 0.1;
};

}  // namespace mqttrpc
