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
  kSuccess = 0x00,
  kNormalDisconnection = 0x00,  // DISCONNECT: without the will.
  kGrantedQoS0 = 0x00,          // SUBACK, as the two below: the QoS that messages come with at most.
  kGrantedQoS1 = 0x01,
  kGrantedQoS2 = 0x02,
  kDisconnectWithWillMessage = 0x04,    // DISCONNECT: the will is wanted all the same.
  kNoMatchingSubscribers = 0x10,        // PUBACK, PUBREC: taken, and for nobody at the moment.
  kNoSubscriptionExisted = 0x11,        // UNSUBACK: there was nothing to end.
  kContinueAuthentication = 0x18,       // AUTH: the other side is to answer.
  kReAuthenticate = 0x19,               // AUTH, from the client: a new exchange.
  kUnspecifiedError = 0x80,             // Its sender has no code that says more, or does not tell.
  kMalformedPacket = 0x81,              // Bytes that are no packet: no use in trying again.
  kProtocolError = 0x82,                // A packet that may not come here, or with such contents.
  kImplementationSpecificError = 0x83,  // Valid, but this broker cannot.
  kUnsupportedProtocolVersion = 0x84,   // CONNACK: of CONNECT.
  kClientIdentifierNotValid = 0x85,     // CONNACK: well-formed, and not allowed.
  kBadUserNameOrPassword = 0x86,
  kNotAuthorized = 0x87,      // To connect, or to use this topic.
  kServerUnavailable = 0x88,  // Try again later, as for the next.
  kServerBusy = 0x89,
  kBanned = 0x8A,
  kServerShuttingDown = 0x8B,
  kBadAuthenticationMethod = 0x8C,  // Not offered, or not the one in use.
  kKeepAliveTimeout = 0x8D,         // Silent for 1.5 times the Keep Alive.
  kSessionTakenOver = 0x8E,         // Another connection has the client id.
  kTopicFilterInvalid = 0x8F,       // Well-formed, and not taken here; as the next.
  kTopicNameInvalid = 0x90,
  kPacketIdentifierInUse = 0x91,     // PUBACK, PUBREC, SUBACK, UNSUBACK: by another exchange.
  kPacketIdentifierNotFound = 0x92,  // PUBREL, PUBCOMP: known to one side only, as after a lost session.
  kReceiveMaximumExceeded = 0x93,    // More unacknowledged messages than CONNACK or CONNECT allows.
  kTopicAliasInvalid = 0x94,
  kPacketTooLarge = 0x95,  // Over the Maximum Packet Size of the receiver.
  kMessageRateTooHigh = 0x96,
  kQuotaExceeded = 0x97,  // A limit of the broker: connections, memory, subscriptions.
  kAdministrativeAction = 0x98,
  kPayloadFormatInvalid = 0x99,  // The Payload Format Indicator says UTF-8, and it is not.
  kRetainNotSupported = 0x9A,
  kQoSNotSupported = 0x9B,
  kUseAnotherServer = 0x9C,  // Temporarily; Server Reference tells which.
  kServerMoved = 0x9D,       // For good; Server Reference tells where to.
  kSharedSubscriptionsNotSupported = 0x9E,
  kConnectionRateExceeded = 0x9F,
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
