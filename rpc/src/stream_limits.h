// Checks StreamLimits, which both sides have.
#pragma once

#include <absl/status/status.h>

#include "mqttrpc/rpc/stream.h"

namespace mqttrpc {

// kInvalidArgument says which is out of range.
absl::Status CheckLimits(const StreamLimits& limits);

}  // namespace mqttrpc
