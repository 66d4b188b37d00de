// Enhanced authentication: a challenge and response of your own (MQTT 4.12).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace mqttrpc::mqtt {

// One side of an authentication method, e.g. SCRAM. The client calls it on its
// executor, one exchange after the other: Start(), any number of Continue(), then
// Finish(). A new Start() means that the last exchange is void. Must not block
// and must not throw. Data is any bytes; empty optional: no Authentication Data.
class Authenticator {
 public:
  using Data = std::optional<std::string>;
  using DataView = std::optional<std::string_view>;

  virtual ~Authenticator() = default;

  // The Authentication Method. Stays the same for the authenticator's life
  // (MQTT-4.12.0-5, MQTT-4.12.1-1).
  virtual std::string_view method() const = 0;

  // The data for CONNECT, or for the AUTH that begins a re-authentication.
  virtual absl::StatusOr<Data> Start() = 0;

  // The answer to the broker's `data`.
  virtual absl::StatusOr<Data> Continue(DataView data) = 0;

  // The broker is content; `data` may prove who it is. An error closes the
  // connection, as an error from the others does.
  virtual absl::Status Finish(DataView data) = 0;
};

}  // namespace mqttrpc::mqtt
