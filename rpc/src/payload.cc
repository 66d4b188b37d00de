#include "payload.h"

#include <limits>

#include <absl/strings/str_cat.h>
#include <google/protobuf/util/json_util.h>

#include "text.h"

namespace mqttrpc {
namespace {

constexpr std::size_t kMaximumReason = 500;

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
