// Which broker to dial next: the list, and where brokers send us.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/client_options.h"
#include "mqttrpc/mqtt/endpoint.h"

namespace mqttrpc::mqtt {

// A Server Reference: "host[:port]", several of them apart by spaces (MQTT 4.11),
// also as URLs. Only what has the scheme of `current` is taken, so that nobody is
// led from an encrypted connection to a plain one; at most eight.
std::vector<std::string> ParseServerReference(std::string_view reference, std::string_view current);

class BrokerList {
 public:
  explicit BrokerList(const ClientOptions& options);

  // The first URL that cannot be dialled. OkStatus: all can.
  absl::Status Check() const;

  // The URL to dial; never empty once checked.
  const std::string& current() const { return in_use_[position_]; }

  // `current()` could not be reached, or refused. Whether another is to be tried
  // at once; if not, the round is over and the back-off is due.
  bool Failed();

  // A broker sends us elsewhere: for one connection, or for good. False if the
  // reference is not to be followed; nothing has changed then.
  bool Follow(std::string_view reference, bool for_good);

  // A connection was lost that had been accepted, and the back-off is due.
  void Lost();

  // A connection lasted: it was no link of a chain of references.
  void Lasted() { redirects_ = 0; }

 private:
  void GoHome();

  const ClientOptions& options_;
  std::vector<std::string> home_;    // The application's, or where it moved to.
  std::vector<std::string> in_use_;  // That, or a reference for the time being.
  std::size_t position_ = 0;
  std::size_t tried_ = 0;   // In this round.
  unsigned redirects_ = 0;  // In a row, without a back-off.
};

}  // namespace mqttrpc::mqtt
