// The part of ClientCore that authenticates by challenge and response (MQTT 4.12).
#include <absl/strings/str_cat.h>

#include "client_core.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

Authenticator::DataView DataOf(PropertiesView properties) { return properties.Get(property::kAuthenticationData); }

}  // namespace

void ClientCore::Reauthenticate(OperationId id, Completion<absl::Status> done, TimePoint now) {
  if (!gave_up_.ok()) return work_.Finish(done, gave_up_);
  if (options_.authenticator == nullptr) {  // MQTT-4.12.0-7
    return work_.Finish(done, absl::FailedPreconditionError("the client has no authenticator"));
  }
  if (phase_ != Phase::kConnected) return work_.Finish(done, absl::UnavailableError("not connected"));
  if (reauthenticating_since_ != kNever) {
    return work_.Finish(done, absl::FailedPreconditionError("authentication is under way already"));
  }
  const absl::StatusOr<Authenticator::Data> data = options_.authenticator->Start();
  if (!data.ok()) return work_.Finish(done, data.status());
  if (absl::Status status = Answer(*data, ReasonCode::kReAuthenticate); !status.ok()) {
    return work_.Finish(done, std::move(status));
  }
  reauthenticating_ = {id, std::move(done)};
  reauthenticating_since_ = now;
}

absl::Status ClientCore::Answer(const Authenticator::Data& data, ReasonCode code) {
  Properties properties;
  properties.Set(property::kAuthenticationMethod, options_.authenticator->method());  // MQTT-4.12.0-5, MQTT-4.12.1-1
  if (data.has_value()) properties.Set(property::kAuthenticationData, *data);
  Auth auth;
  auth.reason_code = code;
  auth.properties = properties;
  const std::size_t before = work_.out.size();
  if (absl::Status status = EncodePacket(Packet(auth), Sender::kClient, work_.out); !status.ok()) return status;
  const std::size_t size = work_.out.size() - before;
  if (phase_ != Phase::kConnected || size <= work_.limits.maximum_packet_size) return absl::OkStatus();
  work_.out.resize(before);  // MQTT-3.2.2-15
  return StatusFrom(ReasonCode::kPacketTooLarge,
                    absl::StrCat("AUTH is ", size, " bytes; broker takes ", work_.limits.maximum_packet_size));
}

absl::Status ClientCore::CheckMethod(PropertiesView properties) const {
  const auto method = properties.Get(property::kAuthenticationMethod);
  if (options_.authenticator == nullptr) {
    // MQTT-4.12.0-6
    if (method.has_value()) return StatusFrom(ReasonCode::kProtocolError, "an Authentication Method we never named");
    return absl::OkStatus();
  }
  if (method == options_.authenticator->method()) return absl::OkStatus();  // MQTT-4.12.0-5
  return StatusFrom(ReasonCode::kProtocolError,
                    absl::StrCat("Authentication Method is not '", ToAbsl(options_.authenticator->method()), "'"));
}

absl::Status ClientCore::OnAuth(const Auth& auth) {
  if (options_.authenticator == nullptr) return StatusFrom(ReasonCode::kProtocolError, "unexpected AUTH");
  if (absl::Status status = CheckMethod(auth.properties); !status.ok()) return status;
  const bool again = phase_ == Phase::kConnected;
  if (again && reauthenticating_since_ == kNever) {
    return StatusFrom(ReasonCode::kProtocolError, "AUTH that nobody asked for");
  }
  absl::Status status;
  if (auth.reason_code == ReasonCode::kContinueAuthentication) {
    const absl::StatusOr<Authenticator::Data> data = options_.authenticator->Continue(DataOf(auth.properties));
    status = data.ok() ? Answer(*data, ReasonCode::kContinueAuthentication) : data.status();  // MQTT-4.12.0-3
    if (again && status.ok()) reauthenticating_since_ = work_.now;
  } else if (again) {
    status = options_.authenticator->Finish(DataOf(auth.properties));
    if (status.ok()) EndReauthentication(absl::OkStatus());
  } else {
    status = StatusFrom(ReasonCode::kProtocolError, "AUTH that ends before CONNACK");
  }
  if (!status.ok() && again) EndReauthentication(status);  // MQTT-4.12.1-2: the caller closes the connection.
  return status;
}

// The last step of an exchange that CONNECT began.
absl::Status ClientCore::FinishHandshake(const ConnAck& connack) {
  if (absl::Status status = CheckMethod(connack.properties); !status.ok()) return status;
  if (options_.authenticator == nullptr) return absl::OkStatus();
  return options_.authenticator->Finish(DataOf(connack.properties));
}

void ClientCore::EndReauthentication(absl::Status result) {
  if (std::exchange(reauthenticating_since_, kNever) == kNever) return;
  work_.Finish(reauthenticating_.second, std::move(result));
  reauthenticating_.first = 0;
}

}  // namespace mqttrpc::mqtt
