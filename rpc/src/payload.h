// Messages as payloads: protobuf's binary form, or its JSON form.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

#include "mqttrpc/rpc/call_options.h"

namespace mqttrpc {

// Appends to `payload`. kInvalidArgument: a required field is missing, or JSON
// cannot say it (an Any of a type that is not linked in).
absl::Status WritePayload(const google::protobuf::Message& message, ContentType content_type, std::string& payload);

// kInvalidArgument says what is wrong; JSON names the field, also an unknown one.
absl::Status ReadPayload(std::string_view payload, ContentType content_type, google::protobuf::Message& message);

}  // namespace mqttrpc
