#include "reply_cache.h"

#include <utility>
#include <vector>

namespace mqttrpc {
namespace {

// A caller's id has no slash.
void MakeKey(std::string_view caller, std::string_view correlation_data, std::string& key) {
  key.reserve(caller.size() + 1 + correlation_data.size());
  key.assign(caller).append("/").append(correlation_data);
}

std::size_t BytesOf(const ReplyCache::Entry& entry) {
  std::size_t bytes = sizeof(entry) + entry.key.capacity();
  if (entry.answer.has_value()) {
    bytes += entry.answer->topic_name.capacity() + entry.answer->payload.capacity() +
             entry.answer->properties.view().size_bytes();
  }
  return bytes;
}

}  // namespace

ReplyCache::~ReplyCache() {
  for (const auto& entry : entries_) {
    expiries_.Cancel(*entry);
    LinkedList<Entry>::Remove(*entry);
  }
}

ReplyCache::Entry* ReplyCache::Find(std::string_view caller, std::string_view correlation_data) const {
  std::string key;
  MakeKey(caller, correlation_data, key);
  const auto found = entries_.find(std::string_view(key));
  return found == entries_.end() ? nullptr : found->get();
}

ReplyCache::Entry& ReplyCache::Begin(std::string_view caller, std::string_view correlation_data,
                                     mqtt::TimePoint deadline, ServerCall::State* running) {
  auto entry = std::make_unique<Entry>();
  MakeKey(caller, correlation_data, entry->key);
  entry->running = running;
  entry->answer_until = deadline;
  return **entries_.insert(std::move(entry)).first;
}

void ReplyCache::Finish(Entry& entry, std::optional<mqtt::Message> answer) {
  entry.running = nullptr;
  entry.finished = true;
  entry.answer = std::move(answer);
  entry.bytes = BytesOf(entry);
  if (entry.bytes > maximum_bytes_) {  // Remember at least that it ran.
    entry.answer.reset();
    entry.bytes = BytesOf(entry);
  }
  bytes_ += entry.bytes;
  finished_.PushBack(entry);
  expiries_.Schedule(entry, entry.answer_until == mqtt::kNever ? mqtt::kNever : entry.answer_until + kGrace);
  while (bytes_ > maximum_bytes_) Drop(*finished_.front());
}

void ReplyCache::TimeIs(mqtt::TimePoint now) {
  while (mqtt::DeadlineQueue::Entry* due = expiries_.PopDue(now)) Drop(static_cast<Entry&>(*due));
}

void ReplyCache::Drop(Entry& entry) {
  bytes_ -= entry.bytes;
  expiries_.Cancel(entry);
  LinkedList<Entry>::Remove(entry);
  const auto found = entries_.find(std::string_view(entry.key));
  entries_.erase(found);
}

}  // namespace mqttrpc
