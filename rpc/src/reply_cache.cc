#include "reply_cache.h"

#include <utility>
#include <vector>

namespace mqttrpc {
namespace {

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

void ReplyCache::FinishUnanswered(Entry& entry) { Keep(entry); }

void ReplyCache::Keep(Entry& entry) {
  entry.running = nullptr;
  entry.finished = true;
  entry.bytes = BytesOf(entry);
  if (entry.bytes > maximum_bytes_) {  // Remember at least that it ran.
    entry.answer.reset();
    entry.bytes = BytesOf(entry);
  }
  bytes_ += entry.bytes;
  finished_.PushBack(entry);
  while (bytes_ > maximum_bytes_) Drop(*finished_.front());
}

void ReplyCache::TimeIs(mqtt::TimePoint now) {
  for (Entry* oldest = finished_.front(); oldest != nullptr; oldest = finished_.front()) {
    if (oldest->answer_until == mqtt::kNever || oldest->answer_until + kGrace > now) return;
    Drop(*oldest);
  }
}

void ReplyCache::Drop(Entry& entry) {
  bytes_ -= entry.bytes;
  LinkedList<Entry>::Remove(entry);
  entries_.erase(entries_.find(entry));
}

}  // namespace mqttrpc
