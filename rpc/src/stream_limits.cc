#include "stream_limits.h"

#include <absl/strings/str_cat.h>

#include "call_flow.h"

namespace mqttrpc {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMaximumFrames = 65'535;
constexpr std::size_t kMaximumPacket = 256 * kKiB * kKiB;        // MQTT's own limit (2.1.4).
constexpr std::size_t kMaximumMessage = 2048 * kKiB * kKiB - 1;  // Protobuf's.

absl::Status Check(const char* name, std::size_t value, std::size_t least, std::size_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("limits.", name, " is ", value, "; ", least, " to ", most, " are allowed"));
}

}  // namespace

absl::Status CheckLimits(const StreamLimits& limits) {
  absl::Status status = Check("frames", limits.frames, kPlainLimit, kMaximumFrames);
  if (status.ok()) status = Check("frame_bytes", limits.frame_bytes, kKiB, kMaximumPacket);
  if (status.ok()) status = Check("message_bytes", limits.message_bytes, kKiB, kMaximumMessage);
  return status;
}

}  // namespace mqttrpc
