#include "handshake.h"

#include <algorithm>
#include <array>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::broker {

using mqtt::ReasonCode;
namespace property = mqtt::property;

absl::Status CheckConnect(const mqtt::Connect& connect) {
  if (const auto method = connect.properties.Get(property::kAuthenticationMethod)) {
    return mqtt::StatusFrom(ReasonCode::kBadAuthenticationMethod,  // MQTT-4.12.0-1
                            "this broker has no authentication methods");
  }
  if (!connect.will) return absl::OkStatus();
  if (connect.will->qos == mqtt::QoS::kExactlyOnce) {
    return mqtt::StatusFrom(ReasonCode::kQoSNotSupported, "Will QoS is 2; Maximum QoS is 1");  // MQTT-3.2.2-12
  }
  if (connect.will->retain) {
    return mqtt::StatusFrom(ReasonCode::kRetainNotSupported,  // MQTT-3.2.2-13
                            "the will is retained; this broker keeps no retained messages");
  }
  return absl::OkStatus();
}

ConnectionTerms TermsOf(const mqtt::Connect& connect, const BrokerOptions& options) {
  ConnectionTerms terms;
  terms.keep_alive = connect.keep_alive;
  if (options.maximum_keep_alive != 0 && (terms.keep_alive == 0 || terms.keep_alive > options.maximum_keep_alive)) {
    terms.keep_alive = options.maximum_keep_alive;
  }
  const mqtt::PropertiesView& asked = connect.properties;
  terms.receive_maximum = asked.Get(property::kReceiveMaximum).value_or(terms.receive_maximum);
  terms.maximum_packet_size = asked.Get(property::kMaximumPacketSize).value_or(terms.maximum_packet_size);
  terms.session_expiry = asked.Get(property::kSessionExpiryInterval).value_or(0);
  terms.problem_information = asked.Get(property::kRequestProblemInformation).value_or(1) != 0;
  return terms;
}

namespace {

// Such an id names exactly one level in a topic.
bool IsOneTopicLevel(std::string_view client_id) { return client_id.find_first_of("/+#") == std::string_view::npos; }

}  // namespace

mqtt::Properties ConnAckProperties(const mqtt::Connect& connect, const BrokerOptions& options,
                                   const ConnectionTerms& terms, std::string_view client_id, bool assigned) {
  mqtt::Properties properties;
  if (terms.session_expiry != 0) properties.Set(property::kSessionExpiryInterval, std::uint32_t{0});
  if (options.receive_maximum != 65'535) properties.Set(property::kReceiveMaximum, options.receive_maximum);
  properties.Set(property::kMaximumQoS, std::uint8_t{1});       // MQTT-3.2.2-9
  properties.Set(property::kRetainAvailable, std::uint8_t{0});  // 3.2.2.3.5
  properties.Set(property::kMaximumPacketSize, options.maximum_packet_size);
  if (assigned) properties.Set(property::kAssignedClientIdentifier, client_id);  // MQTT-3.1.3-7, MQTT-3.2.2-16
  if (options.topic_alias_maximum != 0) properties.Set(property::kTopicAliasMaximum, options.topic_alias_maximum);
  if (terms.keep_alive != connect.keep_alive) properties.Set(property::kServerKeepAlive, terms.keep_alive);
  const bool asked = connect.properties.Get(property::kRequestResponseInformation).value_or(0) != 0;  // MQTT-3.1.2-28
  if (asked && !options.response_information_prefix.empty() && IsOneTopicLevel(client_id)) {
    properties.Set(property::kResponseInformation,
                   std::string_view(absl::StrCat(options.response_information_prefix, mqtt::ToAbsl(client_id))));
  }
  return properties;
}

std::string NewClientId(mqtt::Random& random) {
  std::array<std::byte, 10> bytes{};
  random.Fill(bytes);
  // 3 + 20 characters: within the 23 that any peer takes.
  return absl::StrCat("id0", absl::BytesToHexString(mqtt::ToAbsl(mqtt::AsText(bytes))));
}

bool IsOlderConnect(const mqtt::Frame& frame) {
  if (frame.first_byte >> 4 != static_cast<int>(mqtt::PacketType::kConnect)) return false;
  const std::string_view body = mqtt::AsText(frame.body);
  using namespace std::string_view_literals;
  return body.starts_with("\0\4MQTT\4"sv) || body.starts_with("\0\6MQIsdp\3"sv);
}

ReasonCode ForConnAck(ReasonCode code) {
  switch (code) {
    case ReasonCode::kUnspecifiedError:
    case ReasonCode::kMalformedPacket:
    case ReasonCode::kImplementationSpecificError:
    case ReasonCode::kUnsupportedProtocolVersion:
    case ReasonCode::kClientIdentifierNotValid:
    case ReasonCode::kBadAuthenticationMethod:
    case ReasonCode::kTopicNameInvalid:
    case ReasonCode::kPacketTooLarge:
    case ReasonCode::kQuotaExceeded:
    case ReasonCode::kRetainNotSupported:
    case ReasonCode::kQoSNotSupported: return code;
    default: return ReasonCode::kProtocolError;
  }
}

}  // namespace mqttrpc::broker
