// What became of requests, so that a duplicate is answered and not run again. No I/O.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>

#include "linked_list.h"
#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/rpc/service.h"

namespace mqttrpc {

// An answer as it was sent, in one piece of memory: thousands are kept.
class KeptAnswer {
 public:
  explicit KeptAnswer(const mqtt::Message& message);
  mqtt::Message ToMessage() const;
  std::size_t bytes() const { return bytes_.capacity(); }

 private:
  std::string bytes_;  // Topic Name, payload, properties.
  std::size_t topic_bytes_;
  std::size_t payload_bytes_;
  mqtt::QoS qos_;
};

// Keeps each finished request until its deadline and 60 s more, and at most
// `maximum_bytes` of them. They go in the order in which they finished, so one may stay
// longer behind another whose deadline is later: thousands come and go each second, and a
// queue by time would cost more than all else here. Requests that are running are
// kept in any case; their number is the server's limit.
class ReplyCache {
 public:
  static constexpr std::chrono::seconds kGrace{60};

  struct Entry : ListNode {
    Entry() = default;
    std::string key;  // Caller, Correlation Data.
    std::size_t caller_size = 0;
    ServerCall::State* running = nullptr;  // What serves it, until it is finished.
    bool finished = false;
    mqtt::TimePoint answer_until{};    // The call's deadline.
    std::optional<KeptAnswer> answer;  // Empty: there is none to give.
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

  // `answer`: what a duplicate gets. `entry` may be gone afterwards.
  void Finish(Entry& entry, const mqtt::Message& answer);
  void FinishUnanswered(Entry& entry);

  // Drops what is over.
  void TimeIs(mqtt::TimePoint now);

  std::size_t bytes() const { return bytes_; }  // Of finished requests.
  std::size_t size() const { return entries_.size(); }

 private:
  // A call's name, borrowed, so that looking up costs no allocation.
  struct Key {
    std::string_view caller;
    std::string_view correlation_data;
    bool operator==(const Key&) const = default;
  };
  static Key KeyOf(const Key& key) { return key; }
  static Key KeyOf(const std::unique_ptr<Entry>& entry) {
    const std::string_view key = entry->key;
    return {key.substr(0, entry->caller_size), key.substr(entry->caller_size)};
  }
  struct Hash {
    using is_transparent = void;
    template <typename T>
    std::size_t operator()(const T& item) const {
      const Key key = KeyOf(item);
      return absl::HashOf(key.caller, key.correlation_data);  // Seeded: peers choose both.
    }
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) == KeyOf(b);
    }
  };

  void Keep(Entry& entry);
  void Drop(Entry& entry);

  const std::size_t maximum_bytes_;
  absl::flat_hash_set<std::unique_ptr<Entry>, Hash, Equal> entries_;
  LinkedList<Entry> finished_;  // The oldest first.
  std::size_t bytes_ = 0;
};

}  // namespace mqttrpc
