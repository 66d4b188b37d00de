// What cases say of what they saw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "body.h"

namespace mqttrpc::interop {

inline absl::Status Differs(std::string_view what) {
  return absl::FailedPreconditionError(absl::string_view(what.data(), what.size()));
}

// A call that has to be OK.
inline absl::Status ExpectOk(const absl::Status& status, std::string_view call) {
  if (status.ok()) return status;
  return Differs(absl::StrCat(std::string(call), " ended with ", status.ToString()));
}

// A call that has to fail with `code`; and with `message`, if that is given.
inline absl::Status ExpectError(const absl::Status& status, absl::StatusCode code,
                                std::optional<std::string_view> message = std::nullopt) {
  if (status.code() != code) {
    return Differs(
        absl::StrCat("the call ended with ", status.ToString(), "; wanted is ", absl::StatusCodeToString(code)));
  }
  if (!message.has_value() || std::string_view(status.message().data(), status.message().size()) == *message) {
    return absl::OkStatus();
  }
  return Differs(absl::StrCat("the call ended with the words \"", status.message(), "\"; wanted are \"",
                              std::string(*message), "\""));
}

// A body of `size` bytes, as Body() makes it.
inline absl::Status ExpectBody(std::string_view body, std::size_t size) {
  if (body.size() != size) return Differs(absl::StrCat("a body has ", body.size(), " bytes; wanted are ", size));
  if (!IsBody(body)) return Differs(absl::StrCat("a body of ", size, " bytes has others than were sent"));
  return absl::OkStatus();
}

inline absl::Status ExpectSize(std::int64_t size, std::size_t wanted, std::string_view of) {
  if (size == static_cast<std::int64_t>(wanted)) return absl::OkStatus();
  return Differs(absl::StrCat(std::string(of), " is ", size, "; wanted is ", wanted));
}

}  // namespace mqttrpc::interop
