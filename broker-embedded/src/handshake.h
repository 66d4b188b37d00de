// What the broker answers to a CONNECT (MQTT 3.1, 3.2).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <absl/status/status.h>

#include "mqttrpc/broker/options.h"
#include "mqttrpc/mqtt/properties.h"
#include "packets.h"

namespace mqttrpc::broker {

// What holds for a connection once its CONNECT was accepted.
struct ConnectionTerms {
  ConnectionTerms() = default;

  std::uint16_t keep_alive = 0;  // Seconds; 0: none.
  std::uint16_t receive_maximum = 65'535;
  std::uint32_t maximum_packet_size = 268'435'460;  // Bytes: the largest there is.
  std::uint32_t session_expiry = 0;                 // As the client asked; sessions end with the connection.
  bool problem_information = true;
};

// OkStatus if the CONNECT may be accepted, else an error with the Reason Code
// for CONNACK.
absl::Status CheckConnect(const mqtt::Connect& connect);

ConnectionTerms TermsOf(const mqtt::Connect& connect, const BrokerOptions& options);

// The properties of the CONNACK that accepts: our limits, and where we deviate
// from what the client asked. `assigned` tells that `client_id` is our choice.
mqtt::Properties ConnAckProperties(const mqtt::Connect& connect, const BrokerOptions& options,
                                   const ConnectionTerms& terms, std::string_view client_id, bool assigned);

// A client id that nobody can guess, of characters every broker must take
// (MQTT-3.1.3-5).
std::string NewClientId(mqtt::Random& random);

// Whether the frame is a CONNECT of MQTT 3.1 or 3.1.1, whose clients do not
// understand our CONNACK.
bool IsOlderConnect(const mqtt::Frame& frame);

// "Unacceptable protocol version" as MQTT 3.1.1 writes it.
inline constexpr std::string_view kOlderVersionRefusal{"\x20\x02\x00\x01", 4};

// `code` if CONNACK may carry it (3.2.2.2), else 0x82: every refusal that has no
// code of its own there is the peer's breach of the protocol.
mqtt::ReasonCode ForConnAck(mqtt::ReasonCode code);

}  // namespace mqttrpc::broker
