// The one place where Reason Codes become absl::Status and back.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include "mqttrpc/mqtt/reason_code.h"

namespace mqttrpc::mqtt {

// Debian's Abseil has a string_view of its own, which does not convert to the
// standard one; other builds of Abseil use the standard one. These two convert
// either way, at no cost.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

// An error that carries `code`. `message` should name the thing, its value and
// the limit; the name of the code is put in front of it. A `code` below 0x80
// gives OkStatus.
//
//   kInvalidArgument     0x85 0x8F 0x90 0x94 0x99
//   kInternal            0x81 0x82 0x83 0x91 0x92: a peer, or we, broke the protocol
//   kUnauthenticated     0x86 0x8C            kPermissionDenied  0x87 0x8A
//   kResourceExhausted   0x93 0x95 0x96 0x97 0x9F
//   kUnavailable         0x88 0x89 0x8B 0x8D 0x8E 0x9C 0x9D 0xA0
//   kUnimplemented       0x84 0x9A 0x9B 0x9E 0xA1 0xA2
//   kUnknown             0x80 and everything else
absl::Status StatusFrom(ReasonCode code, std::string_view message);

// The Reason Code that `status` carries, if any.
std::optional<ReasonCode> ReasonCodeOf(const absl::Status& status);

// As ReasonCodeOf; `otherwise` if `status` carries none.
ReasonCode ReasonCodeOr(const absl::Status& status, ReasonCode otherwise);

}  // namespace mqttrpc::mqtt
