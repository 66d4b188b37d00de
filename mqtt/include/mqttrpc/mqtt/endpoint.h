// Addresses of brokers, written as URLs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>

namespace mqttrpc::mqtt {

// `mqtt://host[:port]`. Host is a name, an IPv4 address, or an IPv6 address in
// brackets. Port 0 is for listening only: the system picks a free one.
struct Endpoint {
  Endpoint() = default;
  Endpoint(std::string host_in, std::uint16_t port_in) : host(std::move(host_in)), port(port_in) {}

  std::string host;           // Without brackets.
  std::uint16_t port = 1883;  // The IANA port for MQTT.

  // Back to the URL's form.
  std::string ToString() const;
  bool operator==(const Endpoint&) const = default;
};

// Errors: kInvalidArgument   not a URL of that form; says what is wrong with it
//         kUnimplemented     mqtts, ws and wss
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view url);

}  // namespace mqttrpc::mqtt
