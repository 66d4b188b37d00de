#include "alias_table.h"

namespace mqttrpc::broker {

AliasTable::~AliasTable() {
  for (const Entry& entry : entries_) budget_.Give(entry.topic_name.size());
}

AliasTable::Choice AliasTable::For(std::string_view topic_name) {
  if (topic_name.size() < kMinimumTopicBytes || topic_name.size() > kMaximumTopicBytes) return {};
  if (const auto found = aliases_.find(topic_name); found != aliases_.end()) {
    entries_[found->second - 1u].saved += topic_name.size();
    return {found->second, true};
  }
  if (entries_.size() < maximum_) {
    entries_.emplace_back();
    return Assign(entries_.size() - 1, topic_name);
  }
  if (!CameLately(topic_name)) return {};
  Entry& entry = entries_[hand_];
  entry.saved /= 2;
  const std::size_t index = hand_;
  hand_ = (hand_ + 1) % entries_.size();
  if (entry.saved > topic_name.size()) return {};
  aliases_.erase(aliases_.find(std::string_view(entry.topic_name)));
  return Assign(index, topic_name);
}

AliasTable::Choice AliasTable::Assign(std::size_t index, std::string_view topic_name) {
  Entry& entry = entries_[index];
  budget_.Give(entry.topic_name.size());
  budget_.Take(topic_name.size());
  entry.topic_name = topic_name;
  entry.saved = 0;
  const auto alias = static_cast<std::uint16_t>(index + 1);
  aliases_.emplace(entry.topic_name, alias);
  return {alias, false};
}

bool AliasTable::CameLately(std::string_view topic_name) {
  const std::size_t hash = TextHash()(topic_name);
  std::uint32_t& place = lately_[hash % lately_.size()];
  const auto mark = static_cast<std::uint32_t>(hash >> 32 | 1);
  const bool came = place == mark;
  place = mark;
  return came;
}

}  // namespace mqttrpc::broker
