#include "payload.h"

#include <limits>

#include <absl/strings/str_cat.h>
#include <google/protobuf/util/json_util.h>

#include "text.h"

namespace mqttrpc {
namespace {

constexpr std::size_t kMaximumReason = 500;

// Protobuf's JSON parser counts nested messages, not lists, and its work on a
// nested Any grows with the square of the depth.
constexpr int kMaximumJsonDepth = 32;

// Whether brackets outside of strings nest deeper than that.
bool NestsTooDeep(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaximumJsonDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

absl::Status Missing(const google::protobuf::Message& message) {
  return absl::InvalidArgumentError(
      absl::StrCat(message.GetDescriptor()->full_name(), " lacks required ", message.InitializationErrorString()));
}

}  // namespace

absl::Status WritePayload(const google::protobuf::Message& message, ContentType content_type, std::string& payload) {
  if (!message.IsInitialized()) return Missing(message);
  if (content_type == ContentType::kProtobuf) {
    if (message.AppendToString(&payload)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(message.GetDescriptor()->full_name(), " is over 2 GiB"));
  }
  std::string json;
  const auto written = google::protobuf::util::MessageToJsonString(message, &json);
  if (!written.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(message.GetDescriptor()->full_name(), " does not go into JSON: ",
                                                   CleanUtf8(written.ToString(), kMaximumReason)));
  }
  payload.append(json);
  return absl::OkStatus();
}

absl::Status ReadPayload(std::string_view payload, ContentType content_type, google::protobuf::Message& message) {
  if (payload.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError("payload is over 2 GiB");
  }
  if (content_type == ContentType::kProtobuf) {
    if (!message.ParsePartialFromArray(payload.data(), static_cast<int>(payload.size()))) {
      return absl::InvalidArgumentError(
          absl::StrCat("payload of ", payload.size(), " bytes is not a ", message.GetDescriptor()->full_name()));
    }
  } else {
    if (NestsTooDeep(payload)) {
      return absl::InvalidArgumentError(absl::StrCat("JSON nests deeper than ", kMaximumJsonDepth, " levels"));
    }
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = false;
    const auto read = google::protobuf::util::JsonStringToMessage(std::string(payload), &message, options);
    if (!read.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("JSON is not a ", message.GetDescriptor()->full_name(), ": ",
                                                     CleanUtf8(read.ToString(), kMaximumReason)));
    }
  }
  return message.IsInitialized() ? absl::OkStatus() : Missing(message);
}

}  // namespace mqttrpc
