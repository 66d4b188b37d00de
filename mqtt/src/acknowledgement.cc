#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/subscription.h"

namespace mqttrpc::mqtt {
namespace {

// What PUBACK and PUBREC have in common (3.4.2.1, 3.5.2.1).
bool IsRefusal(ReasonCode code) {
  switch (code) {
    case ReasonCode::kUnspecifiedError:
    case ReasonCode::kImplementationSpecificError:
    case ReasonCode::kNotAuthorized:
    case ReasonCode::kTopicNameInvalid:
    case ReasonCode::kPacketIdentifierInUse:
    case ReasonCode::kQuotaExceeded:
    case ReasonCode::kPayloadFormatInvalid: return true;
    default: return false;
  }
}

}  // namespace

Acknowledgement& Acknowledgement::operator=(Acknowledgement&& other) noexcept {
  if (this == &other) return *this;
  (void)Settle(Target::Answer::kDrop, ReasonCode::kSuccess);
  target_ = std::move(other.target_);
  session_ = other.session_;
  serial_ = std::exchange(other.serial_, 0);
  return *this;
}

Acknowledgement::~Acknowledgement() { (void)Settle(Target::Answer::kDrop, ReasonCode::kSuccess); }

absl::Status Acknowledgement::Acknowledge() { return Settle(Target::Answer::kAcknowledge, ReasonCode::kSuccess); }

absl::Status Acknowledgement::Refuse(ReasonCode code) {
  if (!IsRefusal(code)) {  // MQTT-3.4.2-1, MQTT-3.5.2-1
    return absl::InvalidArgumentError(absl::StrCat("'", ToAbsl(NameOf(code)), "' refuses no message"));
  }
  return Settle(Target::Answer::kRefuse, code);
}

absl::Status Acknowledgement::Settle(Target::Answer answer, ReasonCode code) {
  const std::uint64_t serial = std::exchange(serial_, 0);
  if (serial == 0) return absl::OkStatus();
  const std::shared_ptr<Target> target = std::exchange(target_, {}).lock();
  if (target == nullptr) return absl::CancelledError("the client is gone");
  if (!target->IsCurrent(session_)) return absl::FailedPreconditionError("the session of this message is gone");
  target->Settle(serial, answer, code);
  return absl::OkStatus();
}

}  // namespace mqttrpc::mqtt
