// How long a call still has.
#pragma once

#include <chrono>

#include "call_codec.h"
#include "mqttrpc/mqtt/clock.h"

namespace mqttrpc {

inline std::chrono::milliseconds TimeLeft(mqtt::TimePoint deadline, mqtt::TimePoint now) {
  if (deadline == mqtt::kNever) return kMaximumTimeout;
  return std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
}

}  // namespace mqttrpc
