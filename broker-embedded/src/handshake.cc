#include "handshake.h"

#include <algorithm>
#include <array>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::broker {

using mqtt::ReasonCode;
namespace property = mqtt::property;

namespace {

// Such an id names exactly one level in a topic.
bool IsOneTopicLevel(std::string_view client_id) { return client_id.find_first_of("/+#") == std::string_view::npos; }

}  // namespace

bool IsReservedTopic(std::string_view topic_name) {
  return topic_name == "$SYS" || topic_name.starts_with("$SYS/") || topic_name.starts_with("$share/");
}

absl::Status CheckConnect(const mqtt::Connect& connect, const BrokerOptions& options) {
  if (connect.version == mqtt::ProtocolVersion::k31 && connect.client_id.empty()) {  // MQTT 3.1: 3.1
    return mqtt::StatusFrom(ReasonCode::kClientIdentifierNotValid, "MQTT 3.1 has no empty client id");
  }
  if (connect.version == mqtt::ProtocolVersion::k311 && connect.client_id.empty() && !connect.clean_start) {
    return mqtt::StatusFrom(ReasonCode::kClientIdentifierNotValid,  // MQTT 3.1.1: MQTT-3.1.3-8
                            "an empty client id wants Clean Session 1");
  }
  if (!connect.will) return absl::OkStatus();
  if (connect.will->qos > options.maximum_qos) {
    return mqtt::StatusFrom(ReasonCode::kQoSNotSupported,  // MQTT-3.2.2-12
                            absl::StrCat("Will QoS is ", static_cast<int>(connect.will->qos), "; Maximum QoS is ",
                                         static_cast<int>(options.maximum_qos)));
  }
  if (connect.will->retain && !options.retain_available) {
    return mqtt::StatusFrom(ReasonCode::kRetainNotSupported,  // MQTT-3.2.2-13
                            "the will is retained; this broker keeps no retained messages");
  }
  if (IsReservedTopic(connect.will->topic_name) || connect.will->topic_name.size() > options.maximum_topic_bytes) {
    return mqtt::StatusFrom(ReasonCode::kTopicNameInvalid, absl::StrCat("Will Topic is the broker's own, or over ",
                                                                        options.maximum_topic_bytes, " bytes"));
  }
  return absl::OkStatus();
}

ConnectionTerms TermsOf(const mqtt::Connect& connect, const BrokerOptions& options) {
  ConnectionTerms terms;
  terms.peer.version = connect.version;
  terms.keep_alive = connect.keep_alive;
  if (connect.version != mqtt::ProtocolVersion::k5) {  // It could not be told of another keep alive.
    terms.session_expiry = connect.clean_start ? 0 : GrantedExpiry(options.v3_session_expiry, options);
    return terms;
  }
  if (options.maximum_keep_alive != 0 && (terms.keep_alive == 0 || terms.keep_alive > options.maximum_keep_alive)) {
    terms.keep_alive = options.maximum_keep_alive;
  }
  const mqtt::PropertiesView& asked = connect.properties;
  terms.peer.receive_maximum = asked.Get(property::kReceiveMaximum).value_or(terms.peer.receive_maximum);
  terms.peer.maximum_packet_size = asked.Get(property::kMaximumPacketSize).value_or(terms.peer.maximum_packet_size);
  terms.peer.topic_alias_maximum = std::min<std::uint16_t>(asked.Get(property::kTopicAliasMaximum).value_or(0),
                                                           options.outgoing_topic_alias_maximum);
  terms.session_expiry = GrantedExpiry(asked.Get(property::kSessionExpiryInterval).value_or(0), options);
  terms.problem_information = asked.Get(property::kRequestProblemInformation).value_or(1) != 0;
  return terms;
}

mqtt::Properties ConnAckProperties(const mqtt::Connect& connect, const BrokerOptions& options,
                                   const ConnectionTerms& terms, std::string_view client_id, bool assigned) {
  mqtt::Properties properties;
  if (terms.session_expiry != connect.properties.Get(property::kSessionExpiryInterval).value_or(0)) {
    properties.Set(property::kSessionExpiryInterval, terms.session_expiry);  // 3.2.2.3.2
  }
  if (options.receive_maximum != 65'535) properties.Set(property::kReceiveMaximum, options.receive_maximum);
  if (options.maximum_qos != mqtt::QoS::kExactlyOnce) {  // MQTT-3.2.2-9
    properties.Set(property::kMaximumQoS, static_cast<std::uint8_t>(options.maximum_qos));
  }
  if (!options.retain_available) properties.Set(property::kRetainAvailable, std::uint8_t{0});  // 3.2.2.3.5
  properties.Set(property::kMaximumPacketSize, options.maximum_packet_size);
  if (assigned) properties.Set(property::kAssignedClientIdentifier, client_id);  // MQTT-3.1.3-7, MQTT-3.2.2-16
  if (options.topic_alias_maximum != 0) properties.Set(property::kTopicAliasMaximum, options.topic_alias_maximum);
  if (terms.keep_alive != connect.keep_alive) properties.Set(property::kServerKeepAlive, terms.keep_alive);
  const bool asked = connect.properties.Get(property::kRequestResponseInformation).value_or(0) != 0;  // MQTT-3.1.2-28
  if (asked && !options.response_information_prefix.empty() && IsOneTopicLevel(client_id)) {
    constexpr std::size_t kLongestString = 65'535;  // 1.5.4
    const std::string information = absl::StrCat(options.response_information_prefix, mqtt::ToAbsl(client_id));
    if (information.size() <= kLongestString) properties.Set(property::kResponseInformation, information);
  }
  return properties;
}

std::string NewClientId(mqtt::Random& random) {
  std::array<std::byte, 10> bytes{};
  random.Fill(bytes);
  // 3 + 20 characters: within the 23 that any peer takes.
  return absl::StrCat("id0", absl::BytesToHexString(mqtt::ToAbsl(mqtt::AsText(bytes))));
}

mqtt::ProtocolVersion AnswerVersionOf(const mqtt::Frame& frame) {
  const std::string_view body = mqtt::AsText(frame.body);
  using namespace std::string_view_literals;
  if (body.starts_with("\0\6MQIsdp"sv)) return mqtt::ProtocolVersion::k31;
  constexpr std::size_t kLevel = 6;  // Where the protocol's version stands.
  if (!body.starts_with("\0\4MQTT"sv) || body.size() <= kLevel || body[kLevel] == 5) return mqtt::ProtocolVersion::k5;
  // Of a version that nobody knows, the layout tells who would understand: a bridge of
  // mosquitto asks with 0x84, and asks again with 4 when it is answered in MQTT 3.1.1.
  std::string as_v5(body);
  as_v5[kLevel] = 5;
  const bool reads_as_v5 = mqtt::DecodeConnect(mqtt::Frame{frame.first_byte, mqtt::AsBytes(as_v5)}).ok();
  return reads_as_v5 && static_cast<unsigned char>(body[kLevel]) > 5 ? mqtt::ProtocolVersion::k5
                                                                     : mqtt::ProtocolVersion::k311;
}

ReasonCode ForConnAck(ReasonCode code) {
  switch (code) {
    case ReasonCode::kUnspecifiedError:
    case ReasonCode::kMalformedPacket:
    case ReasonCode::kImplementationSpecificError:
    case ReasonCode::kUnsupportedProtocolVersion:
    case ReasonCode::kClientIdentifierNotValid:
    case ReasonCode::kBadAuthenticationMethod:
    case ReasonCode::kBadUserNameOrPassword:
    case ReasonCode::kNotAuthorized:
    case ReasonCode::kServerUnavailable:
    case ReasonCode::kServerBusy:
    case ReasonCode::kBanned:
    case ReasonCode::kTopicNameInvalid:
    case ReasonCode::kPacketTooLarge:
    case ReasonCode::kQuotaExceeded:
    case ReasonCode::kRetainNotSupported:
    case ReasonCode::kQoSNotSupported: return code;
    default: return ReasonCode::kProtocolError;
  }
}

}  // namespace mqttrpc::broker
