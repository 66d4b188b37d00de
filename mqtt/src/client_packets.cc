// The half of ClientCore that writes CONNECT and reads what the broker sends.
#include <absl/strings/str_cat.h>

#include "client_core.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

// For the last words to a broker that broke the protocol.
constexpr std::chrono::seconds kFarewell{1};

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

absl::Status ClientCore::EncodeConnect(WireBuffer& out) const {
  Properties properties = options_.connect_properties;
  properties.Remove(PropertyId::kTopicAliasMaximum);  // We keep no aliases.
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
  return EncodePacket(Packet(connect), Sender::kClient, out);
}

std::optional<Event> ClientCore::Next(TimePoint now) {
  for (;;) {
    if (!work_.events.empty()) {
      Event event = std::move(work_.events.front());
      work_.events.pop_front();
      return event;
    }
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
    if (is_connack != (phase_ == Phase::kHandshaking)) {  // MQTT-3.2.0-1, MQTT-3.2.0-2
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
  const ReasonCode code = ReasonCodeOr(why, ReasonCode::kProtocolError);
  closing_why_ = std::move(why);
  BeginClosing(code, now, kFarewell);
}

absl::Status ClientCore::OnPacket(const Packet& packet, TimePoint now) {
  if (const auto* puback = std::get_if<PubAck>(&packet)) {
    if (publisher_.OnPubAck(*puback)) return absl::OkStatus();
    return StatusFrom(ReasonCode::kProtocolError, "PUBACK for a packet that is no PUBLISH");
  }
  if (const auto* suback = std::get_if<SubAck>(&packet)) return subscriber_.OnSubAck(*suback);
  if (const auto* unsuback = std::get_if<UnsubAck>(&packet)) return subscriber_.OnUnsubAck(*unsuback);
  if (std::holds_alternative<PingResp>(packet)) {
    ping_sent_ = kNever;
    return absl::OkStatus();
  }
  if (const auto* connack = std::get_if<ConnAck>(&packet)) return OnConnAck(*connack, now);
  if (const auto* disconnect = std::get_if<mqtt::Disconnect>(&packet)) {
    absl::Status why = StatusOf(disconnect->reason_code, disconnect->properties, "the broker disconnected us");
    if (why.ok()) why = absl::UnavailableError("the broker disconnected us");
    Lost(std::move(why), now);
    return absl::OkStatus();
  }
  // PUBREC, PUBREL and PUBCOMP belong to QoS 2, which we neither use nor ask
  // for; AUTH to a method we never name (MQTT-4.12.0-6).
  return StatusFrom(ReasonCode::kProtocolError, absl::StrCat("unexpected ", ToAbsl(NameOf(TypeOf(packet)))));
}

absl::Status ClientCore::OnConnAck(const ConnAck& connack, TimePoint now) {
  if (IsError(connack.reason_code)) {
    OnRefused(connack, now);
    return absl::OkStatus();
  }
  if (connack.session_present && clean_start_) {  // MQTT-3.2.2-4
    return StatusFrom(ReasonCode::kProtocolError, "CONNACK with a session after Clean Start");
  }
  if (const auto assigned = connack.properties.Get(property::kAssignedClientIdentifier)) client_id_ = *assigned;
  work_.limits = BrokerLimits(connack.properties);
  keep_alive_ = connack.properties
                    .Get(property::kServerKeepAlive)  // MQTT-3.1.2-21
                    .value_or(static_cast<std::uint16_t>(options_.keep_alive.count()));
  had_session_ = true;
  phase_ = Phase::kConnected;
  connected_at_ = now;
  state_.session_present = connack.session_present;
  state_.connack_properties = Properties(connack.properties);
  Tell(ConnectionState::Kind::kConnected);
  for (auto& [id, done] : std::exchange(until_connected_, {})) work_.Finish(done, absl::OkStatus());
  session_begins_ = true;  // Once the application has heard of it.
  return absl::OkStatus();
}

void ClientCore::OnRefused(const ConnAck& connack, TimePoint now) {
  absl::Status why =
      StatusOf(connack.reason_code, connack.properties, absl::StrCat(options_.broker, " refused the connection"));
  if (!IsFinal(connack.reason_code)) return Lost(std::move(why), now);
  Stop(why, why);
}

absl::StatusOr<std::optional<Event>> ClientCore::OnPublish(const mqtt::Publish& publish) {
  if (publish.qos == QoS::kExactlyOnce) {
    return StatusFrom(ReasonCode::kProtocolError, "PUBLISH with QoS 2, which no subscription allows");
  }
  if (publish.properties.Has(PropertyId::kTopicAlias)) {  // MQTT-3.1.2-27
    return StatusFrom(ReasonCode::kTopicAliasInvalid, "PUBLISH with a Topic Alias; we take none");
  }
  if (publish.topic_name.empty()) return StatusFrom(ReasonCode::kProtocolError, "PUBLISH without a Topic Name");
  if (publish.qos == QoS::kAtLeastOnce && ++unacknowledged_ > options_.receive_maximum) {  // MQTT-3.3.4-9
    return StatusFrom(ReasonCode::kReceiveMaximumExceeded,
                      absl::StrCat("more than ", options_.receive_maximum, " messages without PUBACK"));
  }
  receivers_.clear();
  subscriber_.Match(publish, receivers_);
  delivering_ = publish.packet_id;
  delivering_stream_ = stream_number_;
  if (receivers_.empty()) {
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

// MQTT-4.3.2-4. Meanwhile the application may have ended the connection.
void ClientCore::Delivered() {
  const PacketId packet_id = std::exchange(delivering_, PacketId{0});
  if (packet_id == 0 || phase_ != Phase::kConnected || delivering_stream_ != stream_number_) return;
  EncodePubAck(packet_id, ReasonCode::kSuccess, work_.out);
}

}  // namespace mqttrpc::mqtt
