// Enhanced authentication (MQTT 3.15, 4.12): CONNECT, AUTH as often as the method
// wants, CONNACK; and the same without CONNECT and CONNACK later on.
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "server_connection.h"

namespace mqttrpc::broker {

using mqtt::ReasonCode;
namespace property = mqtt::property;

// CONNECT names a method: begins the exchange. The CONNECT is kept until its end.
absl::Status ServerConnection::BeginAuthentication(const mqtt::Connect& connect, const mqtt::Frame& frame,
                                                   mqtt::TimePoint now) {
  if (core_.budget.RefusesSession(frame.body.size())) {
    return mqtt::StatusFrom(ReasonCode::kQuotaExceeded, "this broker has no memory left for another session");
  }
  auth_ = std::make_unique<Authentication>(core_.budget, *connect.properties.Get(property::kAuthenticationMethod),
                                           mqtt::AsText(frame.body));
  terms_ = TermsOf(connect, core_.options);
  writer_.SetPeer(terms_.peer);
  if (absl::Status status = NewExchange(connect.client_id); !status.ok()) return status;
  state_ = State::kAuthenticating;
  return TakeAuthStep(connect.properties.Get(property::kAuthenticationData), now);
}

absl::Status ServerConnection::NewExchange(std::string_view client_id) {
  Authenticator* const authenticator = core_.options.authenticator;
  auth_->exchange = authenticator == nullptr ? nullptr : authenticator->Begin(auth_->method, client_id);
  if (auth_->exchange != nullptr) return absl::OkStatus();
  return mqtt::StatusFrom(ReasonCode::kBadAuthenticationMethod,  // MQTT-4.12.0-1
                          absl::StrCat("this broker does not know the method ", Quoted(auth_->method)));
}

absl::Status ServerConnection::OnPacket(const mqtt::Auth& auth, mqtt::TimePoint now) {
  if (auth_ == nullptr) {  // MQTT-4.12.0-6, MQTT-4.12.0-7
    return mqtt::StatusFrom(ReasonCode::kProtocolError, "AUTH, but CONNECT named no Authentication Method");
  }
  if (auth.properties.Get(property::kAuthenticationMethod).value_or("") != auth_->method) {  // MQTT-4.12.0-5
    return mqtt::StatusFrom(ReasonCode::kProtocolError, "the Authentication Method is not that of CONNECT");
  }
  const bool again = auth.reason_code == ReasonCode::kReAuthenticate;
  if (again != (state_ == State::kConnected && auth_->exchange == nullptr)) {  // MQTT-4.12.0-3, MQTT-4.12.1-1
    return mqtt::StatusFrom(ReasonCode::kProtocolError,
                            again ? "an authentication is under way" : "no authentication is under way");
  }
  if (again) {
    if (absl::Status status = NewExchange(session_->client_id()); !status.ok()) return status;
  }
  return TakeAuthStep(auth.properties.Get(property::kAuthenticationData), now);
}

absl::Status ServerConnection::TakeAuthStep(std::optional<std::string_view> data, mqtt::TimePoint now) {
  const Authenticator::Step step = auth_->exchange->OnData(data);
  if (!step.status.ok()) {  // MQTT-4.12.0-4, MQTT-4.12.1-2
    auth_->exchange = nullptr;
    if (mqtt::ReasonCodeOf(step.status)) return step.status;
    return mqtt::StatusFrom(ReasonCode::kNotAuthorized, mqtt::ToStd(step.status.message()));
  }
  mqtt::Properties properties;
  properties.Set(property::kAuthenticationMethod, std::string_view(auth_->method));
  if (step.data) properties.Set(property::kAuthenticationData, std::string_view(*step.data));
  if (step.done) auth_->exchange = nullptr;
  if (step.done && state_ == State::kAuthenticating) {
    state_ = State::kAwaitingConnect;
    auth_->answer = step.data;
    const std::string body = auth_->TakeConnect();
    const mqtt::Frame frame{static_cast<std::uint8_t>(static_cast<unsigned>(mqtt::PacketType::kConnect) << 4),
                            mqtt::AsBytes(body)};
    const auto connect = mqtt::DecodeConnect(frame);
    return connect.ok() ? Accept(*connect, now) : connect.status();
  }
  mqtt::Auth auth;  // MQTT-4.12.0-2
  auth.reason_code = step.done ? ReasonCode::kSuccess : ReasonCode::kContinueAuthentication;
  auth.properties = properties;
  Answer(auth);
  return absl::OkStatus();
}

}  // namespace mqttrpc::broker
