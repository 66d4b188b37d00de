// What became of requests, so that a duplicate is answered and not run again. No I/O.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_set.h>

#include "linked_list.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/rpc/service.h"

namespace mqttrpc {

// Keeps each finished request until its deadline and 60 s more, and at most
// `maximum_bytes` of them, the oldest going first. Requests that are running are
// kept in any case; their number is the server's limit.
class ReplyCache {
 public:
  static constexpr std::chrono::seconds kGrace{60};

  struct Entry : ListNode, mqtt::DeadlineQueue::Entry {
    Entry() = default;
    std::string key;
    ServerCall::State* running = nullptr;  // What serves it, until it is finished.
    bool finished = false;
    mqtt::TimePoint answer_until{};       // The call's deadline.
    std::optional<mqtt::Message> answer;  // Empty: there is none to give.
    std::size_t bytes = 0;
  };

  explicit ReplyCache(std::size_t maximum_bytes) : maximum_bytes_(maximum_bytes) {}
  ReplyCache(const ReplyCache&) = delete;
  ReplyCache& operator=(const ReplyCache&) = delete;
  ~ReplyCache();

  // Null if it is new. Valid until the next Finish() or TimeIs().
  Entry* Find(std::string_view caller, std::string_view correlation_data) const;

  // A new request; valid until Finish().
  Entry& Begin(std::string_view caller, std::string_view correlation_data, mqtt::TimePoint deadline,
               ServerCall::State* running);

  // `answer`: what a duplicate gets, if anything. `entry` may be gone afterwards.
  void Finish(Entry& entry, std::optional<mqtt::Message> answer);

  // Drops what is over.
  void TimeIs(mqtt::TimePoint now);

  std::size_t bytes() const { return bytes_; }  // Of finished requests.
  std::size_t size() const { return entries_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
    std::size_t operator()(const std::unique_ptr<Entry>& entry) const { return (*this)(std::string_view(entry->key)); }
  };
  struct Equal {
    using is_transparent = void;
    static std::string_view KeyOf(std::string_view key) { return key; }
    static std::string_view KeyOf(const std::unique_ptr<Entry>& entry) { return entry->key; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) == KeyOf(b);
    }
  };

  void Drop(Entry& entry);

  const std::size_t maximum_bytes_;
  absl::flat_hash_set<std::unique_ptr<Entry>, Hash, Equal> entries_;
  LinkedList<Entry> finished_;  // The oldest first.
  mqtt::DeadlineQueue expiries_;
  std::size_t bytes_ = 0;
};

}  // namespace mqttrpc
