// One connection, seen from the middle: reads packets at one end, and writes at
// the other what the faults leave of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "fault_rules.h"
#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/transport.h"

namespace mqttrpc::testing {

class Network;

// Lives until over(); the network then drops it.
class Cable {
 public:
  Cable(Network& network, std::string client, std::uint64_t number, std::unique_ptr<mqtt::Transport> client_end,
        std::unique_ptr<mqtt::Transport> broker_end);
  ~Cable();

  // Neither end is told why: they see their peer drop the stream.
  void Cut(std::string_view why);

  // The client sees the stream end; the broker sees nothing, and what it sends is lost.
  void LoseClient();

  // Goes on after a thaw, or stops reading after a freeze.
  void Pump();

  const std::string& client() const { return client_; }
  bool over() const { return over_; }

 private:
  struct Piece;
  struct Lane;
  struct End;

  void Finish(std::string_view what);

  Network& network_;
  const std::string client_;
  const std::uint64_t number_;
  bool over_ = false;
  std::uint8_t protocol_version_ = 5;  // Until CONNECT says another.

  // The handlers of the transports go after these.
  std::unique_ptr<Lane> to_broker_, to_client_;
  std::unique_ptr<End> client_end_, broker_end_;
};

}  // namespace mqttrpc::testing
