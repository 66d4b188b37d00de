#include "topic_aliases.h"

#include <algorithm>
#include <functional>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "property_table.h"

namespace mqttrpc::mqtt {
namespace {

constexpr std::size_t kWorthwhile = 8;  // Shorter names gain next to nothing.
constexpr unsigned kMostCredit = 16;    // So that a slot can be won back.
constexpr std::size_t kSeenPerSlot = 4;

}  // namespace

void IncomingAliases::Reset(std::uint16_t maximum) {
  maximum_ = maximum;
  names_.clear();
}

absl::Status IncomingAliases::Resolve(Publish& publish) {
  const std::optional<std::uint16_t> alias = publish.properties.Get(property::kTopicAlias);
  if (!alias.has_value()) {
    return publish.topic_name.empty() ? StatusFrom(ReasonCode::kProtocolError, "PUBLISH without a Topic Name")
                                      : absl::OkStatus();
  }
  if (*alias == 0 || *alias > maximum_) {  // MQTT-3.3.2-10
    return StatusFrom(ReasonCode::kTopicAliasInvalid, absl::StrCat("Topic Alias is ", *alias, "; 1-", maximum_));
  }
  if (publish.topic_name.empty()) {
    if (*alias > names_.size() || names_[*alias - 1].empty()) {
      return StatusFrom(ReasonCode::kProtocolError, absl::StrCat("Topic Alias ", *alias, " stands for nothing"));
    }
  } else {
    if (*alias > names_.size()) names_.resize(*alias);
    names_[*alias - 1].assign(publish.topic_name);
  }
  publish.topic_name = names_[*alias - 1];
  publish.properties = WithoutAlias(publish.properties);
  return absl::OkStatus();
}

PropertiesView IncomingAliases::WithoutAlias(PropertiesView properties) {
  if (const auto cut = CutTopicAlias(properties)) return *cut;
  Properties copy(properties);
  copy.Remove(PropertyId::kTopicAlias);
  scratch_.assign(copy.view().wire_bytes());
  return PropertiesView::FromCheckedBytes(scratch_);
}

void OutgoingAliases::Reset(std::uint16_t maximum) {
  maximum_ = maximum;
  slots_.clear();
  by_hash_.clear();
  seen_.assign(kSeenPerSlot * maximum, 0);
  hand_ = 0;
}

OutgoingAliases::Choice OutgoingAliases::Choose(std::string_view topic_name) {
  Choice choice;
  if (maximum_ == 0 || topic_name.size() < kWorthwhile) return choice;
  const std::uint64_t hash = std::hash<std::string_view>()(topic_name);
  if (const auto found = by_hash_.find(hash); found != by_hash_.end()) {
    Slot& slot = slots_[found->second - 1];
    if (slot.topic_name != topic_name) return choice;  // Two names, one hash: the first has it.
    slot.credit = std::min(slot.credit + 1, kMostCredit);
    choice.alias = found->second;
    return choice;
  }
  std::uint64_t& seen = seen_[hash % seen_.size()];
  if (seen != hash) {
    seen = hash;
    return choice;
  }
  choice.alias = TakeSlot();
  if (choice.alias == 0) return choice;
  choice.introduce = true;
  Slot& slot = slots_[choice.alias - 1];
  slot.topic_name.assign(topic_name);
  slot.hash = hash;
  slot.credit = 1;
  by_hash_[hash] = choice.alias;
  return choice;
}

// A free one, else the next whose credit is used up; 0 if it has some left.
std::uint16_t OutgoingAliases::TakeSlot() {
  if (slots_.size() < maximum_) {
    slots_.emplace_back();
    return static_cast<std::uint16_t>(slots_.size());  // MQTT-3.3.2-9, MQTT-3.2.2-17; never 0: MQTT-3.3.2-8
  }
  const std::size_t index = hand_++ % slots_.size();
  Slot& slot = slots_[index];
  if (slot.credit > 0) {
    --slot.credit;
    return 0;
  }
  by_hash_.erase(slot.hash);
  return static_cast<std::uint16_t>(index + 1);
}

void OutgoingAliases::Forget(std::uint16_t alias) {
  Slot& slot = slots_[alias - 1];
  by_hash_.erase(slot.hash);
  slot = Slot();
}

}  // namespace mqttrpc::mqtt
