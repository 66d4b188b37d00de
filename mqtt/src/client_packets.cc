// The half of ClientCore that writes CONNECT and reads what the broker sends.
#include <algorithm>

#include <absl/strings/str_cat.h>

#include "client_core.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

// Refusals that the same CONNECT will meet again.
bool IsFinal(ReasonCode code) {
  switch (code) {
    case ReasonCode::kMalformedPacket:
    case ReasonCode::kProtocolError:
    case ReasonCode::kUnsupportedProtocolVersion:
    case ReasonCode::kClientIdentifierNotValid:
    case ReasonCode::kBadUserNameOrPassword:
    case ReasonCode::kNotAuthorized:
    case ReasonCode::kBanned:
    case ReasonCode::kBadAuthenticationMethod:
    case ReasonCode::kPacketTooLarge: return true;
    default: return false;
  }
}

// Both CONNACK and DISCONNECT may say more in a Reason String.
absl::Status StatusOf(ReasonCode code, PropertiesView properties, std::string_view what) {
  const std::string_view reason = properties.Get(property::kReasonString).value_or("");
  return StatusFrom(code, absl::StrCat(ToAbsl(what), reason.empty() ? "" : ": ", ToAbsl(reason)));
}

}  // namespace

absl::Status ClientCore::EncodeConnect(const Authenticator::Data& data, WireBuffer& out) const {
  Properties properties = options_.connect_properties;
  for (const PropertyId ours : {PropertyId::kSessionExpiryInterval, PropertyId::kTopicAliasMaximum,
                                PropertyId::kAuthenticationMethod, PropertyId::kAuthenticationData}) {
    properties.Remove(ours);
  }
  if (options_.topic_alias_maximum != 0) properties.Set(property::kTopicAliasMaximum, options_.topic_alias_maximum);
  if (options_.authenticator != nullptr) {
    properties.Set(property::kAuthenticationMethod, options_.authenticator->method());
    if (data.has_value()) properties.Set(property::kAuthenticationData, *data);
  }
  if (options_.session_expiry.count() != 0) {
    properties.Set(property::kSessionExpiryInterval, static_cast<std::uint32_t>(options_.session_expiry.count()));
  }
  properties.Set(property::kReceiveMaximum, options_.receive_maximum);
  properties.Set(property::kMaximumPacketSize, options_.maximum_packet_size);
  if (options_.request_response_information) properties.Set(property::kRequestResponseInformation, 1);
  Connect connect;
  connect.client_id = client_id_;
  connect.clean_start = clean_start_;
  connect.keep_alive = static_cast<std::uint16_t>(options_.keep_alive.count());
  connect.user_name = options_.user_name;
  connect.password = options_.password;
  connect.properties = properties;
  Properties will_properties;
  if (options_.will.has_value()) {  // MQTT-3.1.2-9
    Will& will = connect.will.emplace();
    will_properties = options_.will->properties;
    if (options_.will_delay.count() != 0) {
      will_properties.Set(property::kWillDelayInterval, static_cast<std::uint32_t>(options_.will_delay.count()));
    }
    will.topic_name = options_.will->topic_name;
    will.payload = options_.will->payload;
    will.qos = options_.will->qos;
    will.retain = options_.will->retain;
    will.properties = will_properties;
  }
  return EncodePacket(Packet(connect), Sender::kClient, out);
}

std::optional<Event> ClientCore::Next(TimePoint now) {
  work_.now = now;
  for (;;) {
    if (!work_.events.empty()) return work_.events.pop();
    if (session_begins_) BeginSession();
    if (!receiving_) {
      Pump();
      if (work_.events.empty()) return std::nullopt;
      continue;
    }
    const absl::StatusOr<std::optional<Frame>> frame = frames_->Next();
    if (!frame.ok()) {
      Refuse(frame.status(), now);
    } else if (!frame->has_value()) {
      frames_->Keep();
      receiving_ = false;
    } else if (std::optional<Event> event = OnFrame(**frame, now)) {
      return event;
    }
  }
}

std::optional<Event> ClientCore::OnFrame(const Frame& frame, TimePoint now) {
  const absl::StatusOr<Packet> packet = DecodePacket(frame, Sender::kServer);
  absl::Status status = packet.status();
  if (status.ok()) {
    const bool is_connack = std::holds_alternative<ConnAck>(*packet);
    const bool is_handshake = is_connack || (phase_ == Phase::kHandshaking && options_.authenticator != nullptr &&
                                             std::holds_alternative<Auth>(*packet));
    if (is_handshake != (phase_ == Phase::kHandshaking)) {  // MQTT-3.2.0-1, MQTT-3.2.0-2
      status = StatusFrom(ReasonCode::kProtocolError,
                          absl::StrCat(ToAbsl(NameOf(TypeOf(*packet))), is_connack ? " again" : " before CONNACK"));
    } else if (const auto* publish = std::get_if<mqtt::Publish>(&*packet)) {
      absl::StatusOr<std::optional<Event>> event = OnPublish(*publish);
      if (event.ok()) return *std::move(event);
      status = event.status();
    } else {
      status = OnPacket(*packet, now);
    }
  }
  if (!status.ok()) Refuse(std::move(status), now);
  return std::nullopt;
}

// The broker broke the protocol: says so and starts again (MQTT 4.13.1).
void ClientCore::Refuse(absl::Status why, TimePoint now) {
  if (phase_ != Phase::kConnected) return Lost(std::move(why), now);
  mqtt::Disconnect disconnect;
  disconnect.reason_code = ReasonCodeOr(why, ReasonCode::kProtocolError);
  closing_why_ = std::move(why);
  BeginClosing(disconnect, now, options_.farewell_timeout);
}

absl::Status ClientCore::OnPacket(const Packet& packet, TimePoint now) {
  if (const auto* puback = std::get_if<PubAck>(&packet)) return publisher_.OnPubAck(*puback);
  if (const auto* pubrec = std::get_if<PubRec>(&packet)) return publisher_.OnPubRec(*pubrec);
  if (const auto* pubcomp = std::get_if<PubComp>(&packet)) return publisher_.OnPubComp(*pubcomp);
  if (const auto* pubrel = std::get_if<PubRel>(&packet)) return acknowledger_.OnPubRel(*pubrel);
  if (const auto* suback = std::get_if<SubAck>(&packet)) return subscriber_.OnSubAck(*suback);
  if (const auto* unsuback = std::get_if<UnsubAck>(&packet)) return subscriber_.OnUnsubAck(*unsuback);
  if (std::holds_alternative<PingResp>(packet)) {
    ping_sent_ = kNever;
    return absl::OkStatus();
  }
  if (const auto* connack = std::get_if<ConnAck>(&packet)) return OnConnAck(*connack, now);
  if (const auto* auth = std::get_if<Auth>(&packet)) return OnAuth(*auth);
  if (const auto* disconnect = std::get_if<mqtt::Disconnect>(&packet)) {
    OnDisconnect(*disconnect, now);
    return absl::OkStatus();
  }
  return StatusFrom(ReasonCode::kProtocolError, absl::StrCat("unexpected ", ToAbsl(NameOf(TypeOf(packet)))));
}

// Whatever the code, the connection is over (MQTT-4.13.2-1).
void ClientCore::OnDisconnect(const mqtt::Disconnect& disconnect, TimePoint now) {
  absl::Status why = StatusOf(disconnect.reason_code, disconnect.properties, "the broker disconnected us");
  if (why.ok()) why = absl::UnavailableError("the broker disconnected us");
  FollowReference(disconnect.reason_code, disconnect.properties, now);
  Lost(std::move(why), now);
}

void ClientCore::FollowReference(ReasonCode code, PropertiesView properties, TimePoint now) {
  if (code != ReasonCode::kUseAnotherServer && code != ReasonCode::kServerMoved) return;
  if (connected_at_ != kNever && now - connected_at_ >= options_.backoff_reset) brokers_.Lasted();
  const auto reference = properties.Get(property::kServerReference);
  if (reference.has_value()) redirected_ = brokers_.Follow(*reference, code == ReasonCode::kServerMoved);
}

absl::Status ClientCore::OnConnAck(const ConnAck& connack, TimePoint now) {
  if (IsError(connack.reason_code)) {
    OnRefused(connack, now);
    return absl::OkStatus();
  }
  if (connack.session_present && clean_start_) {  // MQTT-3.2.2-4
    return StatusFrom(ReasonCode::kProtocolError, "CONNACK with a session after Clean Start");
  }
  if (absl::Status status = FinishHandshake(connack); !status.ok()) return status;
  if (const auto assigned = connack.properties.Get(property::kAssignedClientIdentifier)) client_id_ = *assigned;
  work_.limits = BrokerLimits(connack.properties);
  keep_alive_ = connack.properties
                    .Get(property::kServerKeepAlive)  // MQTT-3.1.2-21
                    .value_or(static_cast<std::uint16_t>(options_.keep_alive.count()));
  const auto session_expiry = connack.properties.Get(property::kSessionExpiryInterval);  // MQTT 3.2.2.3.2
  state_.session_expiry = session_expiry.has_value() ? std::chrono::seconds(*session_expiry) : options_.session_expiry;
  ++work_.statistics.connections;
  if (had_session_ && !connack.session_present) ++work_.statistics.sessions_lost;
  had_session_ = true;
  session_kept_ = state_.session_expiry;
  session_ends_ = kNever;
  // A broker that lost our session may have begun another one at a CONNECT whose answer we
  // never saw: this may be that one, without our subscriptions.
  session_resumed_ = connack.session_present;
  const bool is_ours = connack.session_present && !session_doubtful_;
  connect_unanswered_ = session_doubtful_ = false;
  phase_ = Phase::kConnected;
  connected_at_ = now;
  state_.session_present = is_ours;
  state_.connack_properties = Properties(connack.properties);
  Tell(ConnectionState::Kind::kConnected);
  for (auto& [id, done] : std::exchange(until_connected_, {})) work_.Finish(done, absl::OkStatus());
  session_begins_ = true;  // Once the application has heard of it.
  return absl::OkStatus();
}

void ClientCore::OnRefused(const ConnAck& connack, TimePoint now) {
  connect_unanswered_ = false;
  absl::Status why =
      StatusOf(connack.reason_code, connack.properties, absl::StrCat(brokers_.current(), " refused the connection"));
  FollowReference(connack.reason_code, connack.properties, now);
  if (!IsFinal(connack.reason_code)) return Lost(std::move(why), now);
  Stop(why, why);
}

absl::StatusOr<std::optional<Event>> ClientCore::OnPublish(mqtt::Publish publish) {
  if (absl::Status status = aliases_.Resolve(publish); !status.ok()) return status;  // MQTT-3.1.2-27
  ++work_.statistics.messages_received;
  if (publish.qos != QoS::kAtMostOnce) {
    const absl::StatusOr<Acknowledger::Verdict> verdict = acknowledger_.OnPublish(publish);
    if (!verdict.ok()) return verdict.status();
    if (*verdict == Acknowledger::Verdict::kKnown) return std::optional<Event>();
  }
  receivers_.clear();
  subscriber_.Match(publish, receivers_);
  serial_ = 0;
  if (publish.qos != QoS::kAtMostOnce) {
    const auto handles = std::count_if(receivers_.begin(), receivers_.end(),
                                       [](const auto& handler) { return static_cast<bool>(handler->acknowledging); });
    serial_ = acknowledger_.HandOver(publish, static_cast<std::size_t>(handles));
  }
  if (receivers_.empty()) {
    ++work_.statistics.messages_unhandled;
    Delivered();  // MQTT-4.5.0-2
    return std::optional<Event>();
  }
  Delivery delivery;
  delivery.message.topic_name = publish.topic_name;
  delivery.message.payload = publish.payload;
  delivery.message.qos = publish.qos;
  delivery.message.retain = publish.retain;
  delivery.message.dup = publish.dup;
  delivery.message.properties = publish.properties;
  return std::optional<Event>(delivery);
}

// Meanwhile the application may have ended the connection: then nothing goes out.
void ClientCore::Delivered() { acknowledger_.Delivered(); }

}  // namespace mqttrpc::mqtt
