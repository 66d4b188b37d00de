#include "retained_store.h"

#include <utility>

#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::broker {

RetainedStore::~RetainedStore() {
  for (auto& [topic_name, entry] : messages_) expiries_.Cancel(entry);
}

std::size_t RetainedStore::BytesOf(const SharedMessage& message) {
  constexpr std::size_t kNode = sizeof(Messages::value_type) + 4 * sizeof(void*);
  return kNode + 2 * message.topic_name().size() + message.tail().size();
}

void RetainedStore::Remove(Messages::iterator entry) {
  expiries_.Cancel(entry->second);
  bytes_ -= BytesOf(*entry->second.message);
  messages_.erase(entry);
}

bool RetainedStore::HasRoomFor(const SharedMessage& message) const {
  if (message.payload().empty()) return true;
  const auto found = messages_.find(message.topic_name());
  const bool is_new = found == messages_.end();
  const std::size_t freed = is_new ? 0 : BytesOf(*found->second.message);
  return bytes_ - freed + BytesOf(message) <= limits_.bytes && (!is_new || messages_.size() < limits_.messages);
}

RetainedStore::Outcome RetainedStore::Set(const MessageRef& message) {
  return HasRoomFor(*message) ? Put(message) : Outcome::kFull;
}

RetainedStore::Outcome RetainedStore::Put(const MessageRef& message) {
  const auto found = messages_.find(message->topic_name());
  if (message->payload().empty()) {
    if (found != messages_.end()) Remove(found);
    return Outcome::kRemoved;
  }
  const bool is_new = found == messages_.end();
  bytes_ += BytesOf(*message) - (is_new ? 0 : BytesOf(*found->second.message));
  Entry& entry = is_new ? messages_[std::string(message->topic_name())] : found->second;
  entry.message = message;
  expiries_.Schedule(entry, message->expires_at());
  return Outcome::kStored;
}

std::size_t RetainedStore::Match(std::string_view topic_filter, mqtt::TimePoint now, Cursor& cursor, std::size_t most,
                                 absl::FunctionRef<bool(const MessageRef&)> visit) const {
  constexpr std::size_t kBytesPerStep = 32;  // Of a Topic Name, to compare.
  const auto shown = [&](const Entry& entry) { return entry.message->ExpiredAt(now) || visit(entry.message); };
  const std::size_t wildcard = topic_filter.find_first_of("+#");
  if (wildcard == std::string_view::npos) {
    const auto found = messages_.find(topic_filter);
    cursor.done = found == messages_.end() || shown(found->second);
    return 1;
  }
  std::size_t looked_at = 1;
  const std::string_view prefix = topic_filter.substr(0, wildcard);
  if (!cursor.begun) {
    // "a/#" is for "a" too (4.7.1.2), which stands apart from what begins with "a/".
    if (!prefix.empty() && topic_filter[wildcard] == '#') {
      const auto parent = messages_.find(prefix.substr(0, prefix.size() - 1));
      if (parent != messages_.end() && !shown(parent->second)) return looked_at;
    }
    cursor.begun = true;
  }
  auto each = cursor.after.empty() ? messages_.lower_bound(prefix) : messages_.upper_bound(cursor.after);
  const std::string* last = nullptr;
  for (; each != messages_.end() && each->first.starts_with(prefix); ++each) {
    if (looked_at >= most || (mqtt::Matches(topic_filter, each->first) && !shown(each->second))) {  // MQTT-4.7.2-1
      if (last != nullptr) cursor.after = *last;
      return looked_at;
    }
    looked_at += 1 + each->first.size() / kBytesPerStep;
    last = &each->first;
  }
  cursor.done = true;
  return looked_at;
}

std::size_t RetainedStore::RemoveExpired(mqtt::TimePoint now, std::size_t most) {
  std::size_t removed = 0;
  for (; removed < most; ++removed) {
    auto* const due = expiries_.PopDue(now);
    if (due == nullptr) break;
    Remove(messages_.find(static_cast<Entry*>(due)->message->topic_name()));
  }
  return removed;
}

}  // namespace mqttrpc::broker
