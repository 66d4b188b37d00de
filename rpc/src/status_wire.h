// Between absl::Status and what travels. With status.cc the only translation.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "mqttrpc/rpc/call_options.h"
#include "mqttrpc/rpc/status.h"

namespace mqttrpc {

// An answer's status as its properties and its payload tell it.
struct WireStatus {
  WireStatus() = default;

  int code = 0;                                          // rpc-status; 0 is OK, and nothing else matters then.
  std::string text;                                      // rpc-msg: UTF-8, at most kMaximumStatusText bytes.
  std::optional<Outcome> outcome;                        // rpc-x
  std::optional<std::chrono::milliseconds> retry_after;  // rpc-retry
};

inline constexpr std::size_t kMaximumStatusText = 1024;

// A failed call's status made here, on the calling side.
absl::Status LocalStatus(absl::StatusCode code, std::string_view text, Outcome outcome);
absl::Status WithOutcome(absl::Status status, Outcome outcome);

// What a handler's `status`, not OK, says to the caller: kExecuted unless the
// handler said otherwise. What `status` may tell about calls that the handler
// itself made stays here.
WireStatus ToWire(const absl::Status& status);

// The payload of that answer: a mqttrpc.Status. Details that JSON cannot say,
// since their type is not linked in, are left out; `details_lost` tells it.
std::string ErrorPayload(const absl::Status& status, ContentType content_type, bool& details_lost);

// The caller's view of an answer that is not OK. A payload that does not parse
// costs the details only.
absl::Status FromWire(const WireStatus& wire, std::string_view payload, ContentType content_type);

}  // namespace mqttrpc
