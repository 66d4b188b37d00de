// What the end of a frame's sending means for its call.
#pragma once

#include <optional>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/reason_code.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc {

// Not taken as there is no room just now, in the client's queue or, as the broker says (0x97), in
// that of the other side.
inline bool IsRefusedForNow(const absl::Status& sending) {
  const std::optional<mqtt::ReasonCode> code = mqtt::ReasonCodeOf(sending);
  return absl::IsResourceExhausted(sending) &&
         code.value_or(mqtt::ReasonCode::kQuotaExceeded) == mqtt::ReasonCode::kQuotaExceeded;
}

// Not taken, however often it is sent: too large, or not allowed. A frame that was lost is no
// such: the other side misses it.
inline bool IsRefusedForGood(const absl::Status& sending) {
  if (sending.ok() || IsRefusedForNow(sending)) return false;
  return !absl::IsCancelled(sending) && !absl::IsUnavailable(sending) && !absl::IsDeadlineExceeded(sending);
}

}  // namespace mqttrpc
