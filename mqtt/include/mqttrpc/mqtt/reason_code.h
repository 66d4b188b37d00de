// The Reason Codes of MQTT 5.0, by their names in the specification (2.4).
#pragma once

#include <cstdint>
#include <string_view>

namespace mqttrpc::mqtt {

// One byte that says how an operation ended. Below 0x80 it succeeded. Three
// names share the value 0x00; which one is meant follows from the packet. Which packet
// may carry which code: table 2-6 of the specification. StatusFrom() in status.h makes
// an absl::Status of one, ReasonCodeOf() finds it again.
enum class ReasonCode : std::uint8_t {
  // --- It succeeded.
  kSuccess = 0x00,
  // DISCONNECT: without the will.
  kNormalDisconnection = 0x00,
  // SUBACK: the QoS that messages come with at most. It may be lower than what was asked for.
  kGrantedQoS0 = 0x00,
  kGrantedQoS1 = 0x01,
  kGrantedQoS2 = 0x02,
  // DISCONNECT: the will is wanted all the same.
  kDisconnectWithWillMessage = 0x04,
  // PUBACK, PUBREC: taken, and for nobody at the moment. A broker need not say so.
  kNoMatchingSubscribers = 0x10,
  // UNSUBACK: there was nothing to end.
  kNoSubscriptionExisted = 0x11,
  // AUTH: the other side is to answer.
  kContinueAuthentication = 0x18,
  // AUTH, from the client: a new exchange.
  kReAuthenticate = 0x19,

  // --- What was sent is not in order, or cannot be served: sent again it fares no better.
  // Its sender has no code that says more, or does not tell.
  kUnspecifiedError = 0x80,
  // Bytes that are no packet.
  kMalformedPacket = 0x81,
  // A packet that may not come here, or with such contents.
  kProtocolError = 0x82,
  // Valid, but this broker cannot.
  kImplementationSpecificError = 0x83,

  // --- The broker does not let the client in, or no further.
  // CONNACK: of CONNECT.
  kUnsupportedProtocolVersion = 0x84,
  // CONNACK: well-formed, and not allowed.
  kClientIdentifierNotValid = 0x85,
  // CONNACK: which of the two is not told.
  kBadUserNameOrPassword = 0x86,
  // To connect, or to use this topic.
  kNotAuthorized = 0x87,
  // CONNACK: not now; try again later.
  kServerUnavailable = 0x88,
  // The same, as it has too much to do.
  kServerBusy = 0x89,
  // CONNACK: by hand, and not for this once.
  kBanned = 0x8A,
  // DISCONNECT: the connection ends, not the session.
  kServerShuttingDown = 0x8B,
  // Not offered, or not the one in use.
  kBadAuthenticationMethod = 0x8C,
  // DISCONNECT: silent for 1.5 times the Keep Alive.
  kKeepAliveTimeout = 0x8D,
  // DISCONNECT: another connection has the client id.
  kSessionTakenOver = 0x8E,

  // --- One message, subscription or packet is not taken; the connection may go on.
  // Well-formed, and not taken here.
  kTopicFilterInvalid = 0x8F,
  kTopicNameInvalid = 0x90,
  // PUBACK, PUBREC, SUBACK, UNSUBACK: by another exchange.
  kPacketIdentifierInUse = 0x91,
  // PUBREL, PUBCOMP: known to one side only, as after a lost session.
  kPacketIdentifierNotFound = 0x92,

  // --- More than the other side takes.
  // DISCONNECT: more unacknowledged messages than CONNACK or CONNECT allows.
  kReceiveMaximumExceeded = 0x93,
  // DISCONNECT: 0, above the Topic Alias Maximum, or of no topic.
  kTopicAliasInvalid = 0x94,
  // Over the Maximum Packet Size of the receiver.
  kPacketTooLarge = 0x95,
  // DISCONNECT: messages come too fast.
  kMessageRateTooHigh = 0x96,
  // A limit of the broker: connections, memory, subscriptions.
  kQuotaExceeded = 0x97,
  // DISCONNECT: somebody who runs the broker wanted it.
  kAdministrativeAction = 0x98,
  // The Payload Format Indicator says UTF-8, and it is not.
  kPayloadFormatInvalid = 0x99,

  // --- What CONNACK has said that this broker does not do, or not here.
  kRetainNotSupported = 0x9A,
  kQoSNotSupported = 0x9B,
  // Temporarily; Server Reference tells which.
  kUseAnotherServer = 0x9C,
  // For good; Server Reference tells where to.
  kServerMoved = 0x9D,
  kSharedSubscriptionsNotSupported = 0x9E,
  // Connections come too fast.
  kConnectionRateExceeded = 0x9F,
  // DISCONNECT: no connection may last longer.
  kMaximumConnectTime = 0xA0,
  kSubscriptionIdentifiersNotSupported = 0xA1,
  kWildcardSubscriptionsNotSupported = 0xA2,
};

// The name in the specification, e.g. "No matching subscribers"; "Unknown
// Reason Code" for a value it does not list. The text is static.
std::string_view NameOf(ReasonCode code);

// Whether `code` tells a failure (MQTT 2.4: 0x80 and above).
constexpr bool IsError(ReasonCode code) { return static_cast<std::uint8_t>(code) >= 0x80; }

}  // namespace mqttrpc::mqtt
