#include "reply_cache.h"

#include <utility>
#include <vector>

namespace mqttrpc {
namespace {

std::size_t BytesOf(const ReplyCache::Entry& entry) {
  return sizeof(entry) + entry.key.capacity() + (entry.answer.has_value() ? entry.answer->bytes() : 0);
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
  for (const auto& entry : entries_) {
    LinkedList<Entry>::Remove(*entry);
  }
}

ReplyCache::Entry* ReplyCache::Find(std::string_view caller, std::string_view correlation_data) const {
  const auto found = entries_.find(Key{caller, correlation_data});
  return found == entries_.end() ? nullptr : found->get();
}

ReplyCache::Entry& ReplyCache::Begin(std::string_view caller, std::string_view correlation_data,
                                     mqtt::TimePoint deadline, ServerCall::State* running) {
  auto entry = std::make_unique<Entry>();
  entry->key.reserve(caller.size() + correlation_data.size());
  entry->key.append(caller).append(correlation_data);
  entry->caller_size = caller.size();
  entry->running = running;
  entry->answer_until = deadline;
  return **entries_.insert(std::move(entry)).first;
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
  const std::string_view key = entry.key;
  entries_.erase(entries_.find(Key{key.substr(0, entry.caller_size), key.substr(entry.caller_size)}));
}

}  // namespace mqttrpc
