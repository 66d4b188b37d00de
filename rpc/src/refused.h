// What the broker's answer to a frame means for its call.
#pragma once

#include <absl/status/status.h>

#include "mqttrpc/mqtt/reason_code.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc {

// Not taken, however often it is sent: too large, or not allowed. A frame that was lost is no
// such, nor one for which the broker has no room in the other side's queue (0x97): it is
// sent again when that side misses it.
inline bool IsRefusedForGood(const absl::Status& sending) {
  if (sending.ok() || mqtt::ReasonCodeOf(sending) == mqtt::ReasonCode::kQuotaExceeded) return false;
  return !absl::IsCancelled(sending) && !absl::IsUnavailable(sending) && !absl::IsDeadlineExceeded(sending);
}

}  // namespace mqttrpc
