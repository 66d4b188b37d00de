// Which Reason Codes each packet may carry: the tables of 3.2.2.2, 3.4.2.1,
// 3.5.2.1, 3.6.2.1, 3.7.2.1, 3.9.3, 3.11.3, 3.14.2.1 and 3.15.2.1.
#include <algorithm>
#include <array>
#include <span>

#include "packet_codec.h"

namespace mqttrpc::mqtt {
namespace {

using R = ReasonCode;

struct Row {
  R code;
  bool client;  // Whether the client may send it.
  bool server;
};

constexpr Row Client(R code) { return {code, true, false}; }
constexpr Row Server(R code) { return {code, false, true}; }
constexpr Row Both(R code) { return {code, true, true}; }

constexpr std::array kConnAck = {
    Server(R::kSuccess),
    Server(R::kUnspecifiedError),
    Server(R::kMalformedPacket),
    Server(R::kProtocolError),
    Server(R::kImplementationSpecificError),
    Server(R::kUnsupportedProtocolVersion),
    Server(R::kClientIdentifierNotValid),
    Server(R::kBadUserNameOrPassword),
    Server(R::kNotAuthorized),
    Server(R::kServerUnavailable),
    Server(R::kServerBusy),
    Server(R::kBanned),
    Server(R::kBadAuthenticationMethod),
    Server(R::kTopicNameInvalid),
    Server(R::kPacketTooLarge),
    Server(R::kQuotaExceeded),
    Server(R::kPayloadFormatInvalid),
    Server(R::kRetainNotSupported),
    Server(R::kQoSNotSupported),
    Server(R::kUseAnotherServer),
    Server(R::kServerMoved),
    Server(R::kConnectionRateExceeded),
};

// PUBACK and PUBREC.
constexpr std::array kPubAck = {
    Both(R::kSuccess),
    Server(R::kNoMatchingSubscribers),
    Both(R::kUnspecifiedError),
    Both(R::kImplementationSpecificError),
    Both(R::kNotAuthorized),
    Both(R::kTopicNameInvalid),
    Both(R::kPacketIdentifierInUse),
    Both(R::kQuotaExceeded),
    Both(R::kPayloadFormatInvalid),
};

// PUBREL and PUBCOMP.
constexpr std::array kPubRel = {
    Both(R::kSuccess),
    Both(R::kPacketIdentifierNotFound),
};

constexpr std::array kSubAck = {
    Server(R::kGrantedQoS0),
    Server(R::kGrantedQoS1),
    Server(R::kGrantedQoS2),
    Server(R::kUnspecifiedError),
    Server(R::kImplementationSpecificError),
    Server(R::kNotAuthorized),
    Server(R::kTopicFilterInvalid),
    Server(R::kPacketIdentifierInUse),
    Server(R::kQuotaExceeded),
    Server(R::kSharedSubscriptionsNotSupported),
    Server(R::kSubscriptionIdentifiersNotSupported),
    Server(R::kWildcardSubscriptionsNotSupported),
};

constexpr std::array kUnsubAck = {
    Server(R::kSuccess),
    Server(R::kNoSubscriptionExisted),
    Server(R::kUnspecifiedError),
    Server(R::kImplementationSpecificError),
    Server(R::kNotAuthorized),
    Server(R::kTopicFilterInvalid),
    Server(R::kPacketIdentifierInUse),
};

constexpr std::array kDisconnect = {
    Client(R::kNormalDisconnection),
    Client(R::kDisconnectWithWillMessage),
    Both(R::kUnspecifiedError),
    Both(R::kMalformedPacket),
    Both(R::kProtocolError),
    Both(R::kImplementationSpecificError),
    Server(R::kNotAuthorized),
    Server(R::kServerBusy),
    Server(R::kServerShuttingDown),
    Server(R::kKeepAliveTimeout),
    Server(R::kSessionTakenOver),
    Server(R::kTopicFilterInvalid),
    Both(R::kTopicNameInvalid),
    Both(R::kReceiveMaximumExceeded),
    Both(R::kTopicAliasInvalid),
    Both(R::kPacketTooLarge),
    Both(R::kMessageRateTooHigh),
    Both(R::kQuotaExceeded),
    Both(R::kAdministrativeAction),
    Both(R::kPayloadFormatInvalid),
    Server(R::kRetainNotSupported),
    Server(R::kQoSNotSupported),
    Server(R::kUseAnotherServer),
    Server(R::kServerMoved),
    Server(R::kSharedSubscriptionsNotSupported),
    Server(R::kConnectionRateExceeded),
    Server(R::kMaximumConnectTime),
    Server(R::kSubscriptionIdentifiersNotSupported),
    Server(R::kWildcardSubscriptionsNotSupported),
};

constexpr std::array kAuth = {
    Server(R::kSuccess),
    Both(R::kContinueAuthentication),
    Client(R::kReAuthenticate),
};

std::span<const Row> RowsOf(PacketType type) {
  switch (type) {
    case PacketType::kConnAck: return kConnAck;
    case PacketType::kPubAck:
    case PacketType::kPubRec: return kPubAck;
    case PacketType::kPubRel:
    case PacketType::kPubComp: return kPubRel;
    case PacketType::kSubAck: return kSubAck;
    case PacketType::kUnsubAck: return kUnsubAck;
    case PacketType::kDisconnect: return kDisconnect;
    case PacketType::kAuth: return kAuth;
    default: return {};
  }
}

}  // namespace

// MQTT-3.2.2-8, MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1, MQTT-3.9.3-2,
// MQTT-3.11.3-2, MQTT-3.14.2-1, MQTT-3.15.2-1
Fault ReasonCodeFault(ReasonCode code, PacketType type, Sender sender) {
  const std::span<const Row> rows = RowsOf(type);
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& each) { return each.code == code; });
  if (row == rows.end()) return {R::kProtocolError, "Reason Code", "is not one of this packet's"};
  if (!(sender == Sender::kClient ? row->client : row->server)) {
    return {R::kProtocolError, "Reason Code", "may not be sent by this side"};
  }
  return {};
}

}  // namespace mqttrpc::mqtt
