#include "reply_cache.h"

#include <algorithm>
#include <utility>

namespace mqttrpc {
namespace {

// How long the answer of a call without a deadline is kept.
constexpr std::chrono::hours kEndless{1};

std::size_t BytesOf(const ReplyCache::Entry& entry) {
  const bool fits = entry.key.capacity() <= decltype(entry.key)().capacity();
  return sizeof(entry) + (fits ? 0 : entry.key.capacity()) + (entry.answer.has_value() ? entry.answer->bytes() : 0);
}

}  // namespace

KeptAnswer::KeptAnswer(const mqtt::Message& message)
    : topic_bytes_(message.topic_name.size()), payload_bytes_(message.payload.size()), qos_(message.qos) {
  const std::string_view properties = message.properties.view().wire_bytes();
  bytes_.reserve(topic_bytes_ + payload_bytes_ + properties.size());
  bytes_.append(message.topic_name).append(message.payload).append(properties);
}

mqtt::Message KeptAnswer::ToMessage() const {
  const std::string_view bytes = bytes_;
  mqtt::Message message(std::string(bytes.substr(0, topic_bytes_)),
                        std::string(bytes.substr(topic_bytes_, payload_bytes_)), qos_);
  message.properties =
      mqtt::Properties(mqtt::PropertiesView::FromCheckedBytes(bytes.substr(topic_bytes_ + payload_bytes_)));
  return message;
}

ReplyCache::~ReplyCache() {
  for (const Slot& slot : entries_) LinkedList<Entry>::Remove(*slot.entry);
}

ReplyCache::Entry* ReplyCache::Find(std::string_view caller, std::string_view correlation_data) const {
  const auto found = entries_.find(Key{caller, correlation_data});
  return found == entries_.end() ? nullptr : found->entry.get();
}

ReplyCache::Entry& ReplyCache::Begin(std::string_view caller, std::string_view correlation_data,
                                     mqtt::TimePoint deadline, ServerCall::State* running) {
  auto entry = std::make_unique<Entry>();
  entry->key.reserve(caller.size() + correlation_data.size());
  entry->key.insert(entry->key.end(), caller.begin(), caller.end());
  entry->key.insert(entry->key.end(), correlation_data.begin(), correlation_data.end());
  entry->caller_size = caller.size();
  entry->hash = Key(caller, correlation_data).hash;
  entry->running = running;
  entry->answer_until = deadline;
  const std::size_t hash = entry->hash;
  return *entries_.insert(Slot{hash, std::move(entry)}).first->entry;
}

void ReplyCache::Finish(Entry& entry, const mqtt::Message& answer) {
  entry.answer.emplace(answer);
  Keep(entry);
}

void ReplyCache::FinishUnanswered(Entry& entry) {
  entry.answer_until = std::min(entry.answer_until, now_);
  Keep(entry);
}

void ReplyCache::Keep(Entry& entry) {
  entry.running = nullptr;
  entry.finished = true;
  entry.bytes = BytesOf(entry);
  if (entry.bytes > maximum_bytes_) {  // Remember at least that it ran.
    entry.answer.reset();
    entry.bytes = BytesOf(entry);
  }
  bytes_ += entry.bytes;
  if (entry.answer_until == mqtt::kNever) entry.answer_until = now_ + kEndless;
  entry.list = ListFor(entry.answer_until - now_);
  entry.finished_as = finished_count_++;
  finished_[entry.list].PushBack(entry);
  while (bytes_ > maximum_bytes_) Drop(*Oldest());
}

// Up to 8 s, 32 s, 128 s, ...
std::size_t ReplyCache::ListFor(mqtt::Duration left) {
  std::size_t list = 0;
  for (mqtt::Duration most = std::chrono::seconds(8); list + 1 < kLists && left > most; most *= 4) ++list;
  return list;
}

ReplyCache::Entry* ReplyCache::Oldest() const {
  Entry* oldest = nullptr;
  for (const LinkedList<Entry>& list : finished_) {
    Entry* first = list.front();
    if (first != nullptr && (oldest == nullptr || first->finished_as < oldest->finished_as)) oldest = first;
  }
  return oldest;
}

void ReplyCache::TimeIs(mqtt::TimePoint now) {
  now_ = now;
  for (const LinkedList<Entry>& list : finished_) {
    for (Entry* oldest = list.front(); oldest != nullptr; oldest = list.front()) {
      if (oldest->answer_until + kGrace > now) break;
      Drop(*oldest);
    }
  }
}

void ReplyCache::Drop(Entry& entry) {
  bytes_ -= entry.bytes;
  LinkedList<Entry>::Remove(entry);
  entries_.erase(entries_.find(entry));
}

}  // namespace mqttrpc
