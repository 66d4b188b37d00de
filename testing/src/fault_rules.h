// The rules that are in force, and what they say about a packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mqttrpc/testing/recorded_packet.h"
#include "mqttrpc/testing/seeded_random.h"

namespace mqttrpc::testing {

// What is to be done with one packet.
struct Verdict {
  bool drop = false;
  int copies = 1;
  mqtt::Duration delay{};
  std::optional<std::size_t> split_at;
  mqtt::Duration split_gap{};
  bool swap_with_next = false;
  bool cut_before = false;
  bool cut_after = false;
  bool freeze_after = false;
  std::optional<std::string> replaced;
  std::string note;  // For the recording.
};

struct Rule {
  // Which packets:
  std::optional<std::string> client;  // Nothing: everyone.
  Direction direction = Direction::kToBroker;
  std::optional<PacketKind> kind;
  std::function<bool(const RecordedPacket&)> wanted;  // Null: all.
  std::size_t nth = 0;                                // 0: all.
  double probability = 1;

  // What is done:
  std::string note;
  std::function<void(const RecordedPacket&, Verdict&)> act;

  std::size_t seen = 0;
  std::size_t hits = 0;
  bool removed = false;
};

class FaultRules {
 public:
  explicit FaultRules(std::uint64_t seed) : random_(seed) {}

  void Add(std::shared_ptr<Rule> rule) { rules_.push_back(std::move(rule)); }
  void Clear();

  Verdict Judge(const RecordedPacket& packet);

 private:
  bool Matches(Rule& rule, const RecordedPacket& packet);

  SeededRandom random_;
  std::vector<std::shared_ptr<Rule>> rules_;
};

}  // namespace mqttrpc::testing
