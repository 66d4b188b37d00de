#include "mqttrpc/mqtt/status.h"

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>

namespace mqttrpc::mqtt {
namespace {

// Holds the Reason Code's one byte.
constexpr absl::string_view kPayloadUrl = "mqttrpc/mqtt.reason_code";

absl::StatusCode CodeFor(ReasonCode code) {
  switch (code) {
    case ReasonCode::kTopicFilterInvalid:
    case ReasonCode::kTopicNameInvalid:
    case ReasonCode::kTopicAliasInvalid:
    case ReasonCode::kPayloadFormatInvalid:
    case ReasonCode::kClientIdentifierNotValid: return absl::StatusCode::kInvalidArgument;
    case ReasonCode::kMalformedPacket:
    case ReasonCode::kProtocolError:
    case ReasonCode::kImplementationSpecificError:
    case ReasonCode::kPacketIdentifierInUse:
    case ReasonCode::kPacketIdentifierNotFound: return absl::StatusCode::kInternal;
    case ReasonCode::kBadUserNameOrPassword:
    case ReasonCode::kBadAuthenticationMethod: return absl::StatusCode::kUnauthenticated;
    case ReasonCode::kNotAuthorized:
    case ReasonCode::kBanned: return absl::StatusCode::kPermissionDenied;
    case ReasonCode::kReceiveMaximumExceeded:
    case ReasonCode::kPacketTooLarge:
    case ReasonCode::kMessageRateTooHigh:
    case ReasonCode::kQuotaExceeded:
    case ReasonCode::kConnectionRateExceeded: return absl::StatusCode::kResourceExhausted;
    case ReasonCode::kServerUnavailable:
    case ReasonCode::kServerBusy:
    case ReasonCode::kServerShuttingDown:
    case ReasonCode::kKeepAliveTimeout:
    case ReasonCode::kSessionTakenOver:
    case ReasonCode::kUseAnotherServer:
    case ReasonCode::kServerMoved:
    case ReasonCode::kMaximumConnectTime: return absl::StatusCode::kUnavailable;
    case ReasonCode::kUnsupportedProtocolVersion:
    case ReasonCode::kRetainNotSupported:
    case ReasonCode::kQoSNotSupported:
    case ReasonCode::kSharedSubscriptionsNotSupported:
    case ReasonCode::kSubscriptionIdentifiersNotSupported:
    case ReasonCode::kWildcardSubscriptionsNotSupported: return absl::StatusCode::kUnimplemented;
    default: return absl::StatusCode::kUnknown;
  }
}

}  // namespace

absl::Status StatusFrom(ReasonCode code, std::string_view message) {
  if (!IsError(code)) return absl::OkStatus();
  absl::Status status(CodeFor(code), message.empty() ? std::string(NameOf(code))
                                                     : absl::StrCat(ToAbsl(NameOf(code)), ": ", ToAbsl(message)));
  const char byte = static_cast<char>(code);
  status.SetPayload(kPayloadUrl, absl::Cord(absl::string_view(&byte, 1)));
  return status;
}

std::optional<ReasonCode> ReasonCodeOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value() || payload->size() != 1) return std::nullopt;
  return static_cast<ReasonCode>((*payload)[0]);
}

ReasonCode ReasonCodeOr(const absl::Status& status, ReasonCode otherwise) {
  return ReasonCodeOf(status).value_or(otherwise);
}

}  // namespace mqttrpc::mqtt
