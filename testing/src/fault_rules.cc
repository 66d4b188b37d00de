#include "fault_rules.h"

namespace mqttrpc::testing {

void FaultRules::Clear() {
  for (const auto& rule : rules_) rule->removed = true;
  rules_.clear();
}

Verdict FaultRules::Judge(const RecordedPacket& packet) {
  Verdict verdict;
  std::erase_if(rules_, [](const auto& rule) { return rule->removed; });
  for (const auto& rule : rules_) {
    if (!Matches(*rule, packet)) continue;
    ++rule->hits;
    if (rule->nth != 0) rule->removed = true;
    rule->act(packet, verdict);
    if (!verdict.note.empty()) verdict.note += ", ";
    verdict.note += rule->note;
    if (verdict.drop) break;
  }
  return verdict;
}

bool FaultRules::Matches(Rule& rule, const RecordedPacket& packet) {
  if (rule.direction != packet.direction) return false;
  if (rule.client.has_value() && *rule.client != packet.client) return false;
  if (rule.kind.has_value() && *rule.kind != packet.kind) return false;
  if (rule.wanted && !rule.wanted(packet)) return false;
  ++rule.seen;
  if (rule.nth != 0) return rule.seen == rule.nth;
  if (rule.probability >= 1) return true;
  constexpr std::uint64_t kSteps = 1'000'000;
  return static_cast<double>(random_.Below(kSteps)) < rule.probability * kSteps;
}

}  // namespace mqttrpc::testing
