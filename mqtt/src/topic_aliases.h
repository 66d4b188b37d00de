// Topic Aliases of one connection, both ways (MQTT 3.3.2.3.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/status/statusor.h>

#include "packets.h"

namespace mqttrpc::mqtt {

// What the broker's aliases stand for.
class IncomingAliases {
 public:
  // For a new connection (MQTT-3.3.2-7), on which the broker may use `maximum`.
  void Reset(std::uint16_t maximum);

  // Takes the alias out of `publish` and its meaning as Topic Name, which stays
  // valid until the next call. Errors: 0x94 for an alias over the maximum, 0x82
  // for one that stands for nothing.
  absl::Status Resolve(Publish& publish);

 private:
  PropertiesView WithoutAlias(PropertiesView properties);

  std::uint16_t maximum_ = 0;
  std::vector<std::string> names_;  // Under alias - 1. Grows up to the highest that was used.
  std::string scratch_;
};

// Chooses aliases for our own messages: for topics that come again, as long as
// that saves bytes. Costs no allocation for a topic that has its alias.
class OutgoingAliases {
 public:
  // For a new connection, on which we may use `maximum`.
  void Reset(std::uint16_t maximum);

  struct Choice {
    std::uint16_t alias = 0;  // 0: send the name alone.
    bool introduce = false;   // Send name and alias.
  };
  Choice Choose(std::string_view topic_name);

  // The packet with that introduction was not sent after all.
  void Forget(std::uint16_t alias);

 private:
  struct Slot {
    std::string topic_name;
    std::uint64_t hash = 0;
    unsigned credit = 0;  // Uses, to be outlived by whoever wants the slot.
  };
  std::uint16_t TakeSlot();

  std::uint16_t maximum_ = 0;
  std::vector<Slot> slots_;  // Under alias - 1.
  std::unordered_map<std::uint64_t, std::uint16_t> by_hash_;
  std::vector<std::uint64_t> seen_;  // Hashes of topics that came once, each at one place.
  std::size_t hand_ = 0;
};

}  // namespace mqttrpc::mqtt
