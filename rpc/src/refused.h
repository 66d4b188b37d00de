// What the end of a frame's sending means for its call.
#pragma once

#include <optional>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/reason_code.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc {

// Not taken, however often it is sent: too large, or not allowed. A frame that was lost is no
// such, nor one for which there is no room just now, in the client's queue or, as the broker says
// (0x97), in that of the other side: it is sent again when that side misses it.
inline bool IsRefusedForGood(const absl::Status& sending) {
  const std::optional<mqtt::ReasonCode> code = mqtt::ReasonCodeOf(sending);
  if (sending.ok() || code == mqtt::ReasonCode::kQuotaExceeded) return false;
  if (absl::IsResourceExhausted(sending) && !code.has_value()) return false;
  return !absl::IsCancelled(sending) && !absl::IsUnavailable(sending) && !absl::IsDeadlineExceeded(sending);
}

}  // namespace mqttrpc
