// What the broker answers to a CONNECT (MQTT 3.1, 3.2).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <absl/status/status.h>

#include "mqttrpc/broker/options.h"
#include "mqttrpc/mqtt/properties.h"
#include "outbox.h"
#include "packets.h"

namespace mqttrpc::broker {

// What holds for a connection once its CONNECT was accepted.
struct ConnectionTerms {
  ConnectionTerms() = default;

  PeerLimits peer;
  std::uint32_t session_expiry = 0;  // Seconds after the connection; 0xFFFFFFFF: for ever.
  std::uint16_t keep_alive = 0;      // Seconds; 0: none.
  bool problem_information = true;
};

// OkStatus if the CONNECT may be accepted, else an error with the Reason Code
// for CONNACK.
absl::Status CheckConnect(const mqtt::Connect& connect, const BrokerOptions& options);

ConnectionTerms TermsOf(const mqtt::Connect& connect, const BrokerOptions& options);

// The Session Expiry Interval that a client gets which asks for `asked` seconds.
inline std::uint32_t GrantedExpiry(std::uint32_t asked, const BrokerOptions& options) {
  return std::min(asked, options.maximum_session_expiry);
}

// Topic Names that clients do not publish to: the broker's own (4.7.2).
bool IsReservedTopic(std::string_view topic_name);

// The properties of the CONNACK that accepts: our limits, and where we deviate
// from what the client asked. `assigned` tells that `client_id` is our choice.
mqtt::Properties ConnAckProperties(const mqtt::Connect& connect, const BrokerOptions& options,
                                   const ConnectionTerms& terms, std::string_view client_id, bool assigned);

// A client id that nobody can guess, of characters every broker must take
// (MQTT-3.1.3-5).
std::string NewClientId(mqtt::Random& random);

// Which version a CONNECT that could not be decoded wants its answer in: its own, or
// an older one for a level that never was (MQTT-3.1.2-2).
mqtt::ProtocolVersion AnswerVersionOf(const mqtt::Frame& frame);

// `code` if CONNACK may carry it (3.2.2.2), else 0x82: every refusal that has no
// code of its own there is the peer's breach of the protocol.
mqtt::ReasonCode ForConnAck(mqtt::ReasonCode code);

}  // namespace mqttrpc::broker
