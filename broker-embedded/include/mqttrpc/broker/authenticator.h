// Enhanced authentication: a challenge and response of your own (MQTT 4.12).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace mqttrpc::broker {

// The broker's side of an authentication method, e.g. SCRAM. Called on the broker's
// executor; must not block and must not throw. Data is any bytes; an empty optional:
// no Authentication Data.
class Authenticator {
 public:
  // What the broker says next.
  struct Step {
    Step() = default;

    bool done = false;                // The client is who it says; else it is asked for more.
    std::optional<std::string> data;  // For the client, with AUTH or CONNACK.
    // An error refuses: with the Reason Code it was made of (mqtt::StatusFrom()), if
    // CONNACK or DISCONNECT may carry that; all others with 0x87 (Not authorized).
    absl::Status status;
  };

  // One exchange with one client. Destroyed when it is over.
  class Exchange {
   public:
    virtual ~Exchange() = default;
    // `data` of CONNECT, or of the client's AUTH.
    virtual Step OnData(std::optional<std::string_view> data) = 0;
  };

  virtual ~Authenticator() = default;

  // Begins an exchange, for a CONNECT or to authenticate again. The texts are borrowed for
  // the call; `client_id` is empty if the broker is to assign one. Null if there is no
  // such `method`: refused with 0x8C (MQTT-4.12.0-1).
  virtual std::unique_ptr<Exchange> Begin(std::string_view method, std::string_view client_id) = 0;
};

}  // namespace mqttrpc::broker
