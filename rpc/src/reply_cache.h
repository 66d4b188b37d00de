// What became of requests, so that a duplicate is answered and not run again. No I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>
#include <absl/hash/hash.h>

#include "linked_list.h"
#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/mqtt/status.h"
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

// Keeps each finished request until its deadline and 60 s more, or for 60 s if there is no
// answer to give again; and at most `maximum_bytes` of them. Thousands come and go each second,
// and a queue by time would cost more than all else here: there is a list for each magnitude
// of the time that is left, in the order in which they finished, so that one may stay behind
// another at most four times as long as it should. Requests that are running are kept in any
// case; their number is the server's limit.
class ReplyCache {
 public:
  static constexpr std::chrono::seconds kGrace{60};

  struct Entry : ListNode {
    Entry() = default;
    std::string_view caller() const { return {key.data(), caller_size}; }
    std::string_view correlation_data() const { return {key.data() + caller_size, key.size() - caller_size}; }

    absl::InlinedVector<char, 48> key;  // Caller, Correlation Data: those of ours fit.
    std::size_t caller_size = 0;
    std::size_t hash = 0;
    ServerCall::State* running = nullptr;  // What serves it, until it is finished.
    int attempt = 1;                       // Of the request that was run.
    // How it failed, if so: what an attempt after it may expect.
    enum class Failure : std::uint8_t { kNone, kNotExecuted, kFailed };
    Failure failure = Failure::kNone;
    bool finished = false;
    mqtt::TimePoint answer_until{};    // The call's deadline.
    std::optional<KeptAnswer> answer;  // Empty: there is none to give.
    std::size_t bytes = 0;
    std::size_t list = 0;           // Of finished ones.
    std::uint64_t finished_as = 0;  // How many had finished before.
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

  // A finished request is to be run again.
  void Forget(Entry& entry) { Drop(entry); }

  // Drops what is over.
  void TimeIs(mqtt::TimePoint now);

  std::size_t bytes() const { return bytes_; }  // Of finished requests.
  std::size_t size() const { return entries_.size(); }

 private:
  // A call's name, borrowed, so that looking up costs no allocation.
  struct Key {
    Key(std::string_view caller_in, std::string_view correlation_data_in)
        : caller(caller_in),
          correlation_data(correlation_data_in),
          // Seeded: peers choose both. Of std::string_view it would be std::hash, without a seed.
          hash(absl::HashOf(mqtt::ToAbsl(caller_in), mqtt::ToAbsl(correlation_data_in))) {}
    std::string_view caller;
    std::string_view correlation_data;
    std::size_t hash;
  };
  // Knows its hash, so that neither growth nor the end of an old entry looks at entries
  // that no processor's cache holds any more.
  struct Slot {
    std::size_t hash;
    std::unique_ptr<Entry> entry;
  };
  struct Hash {
    using is_transparent = void;
    template <typename T>
    std::size_t operator()(const T& item) const {
      return item.hash;
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Slot& a, const Slot& b) const { return a.entry == b.entry; }
    bool operator()(const Slot& slot, const Entry& entry) const { return slot.entry.get() == &entry; }
    bool operator()(const Slot& slot, const Key& key) const {
      return slot.hash == key.hash && slot.entry->caller() == key.caller &&
             slot.entry->correlation_data() == key.correlation_data;
    }
  };

  void Keep(Entry& entry);
  void Drop(Entry& entry);

  const std::size_t maximum_bytes_;
  absl::flat_hash_set<Slot, Hash, Equal> entries_;
  static constexpr std::size_t kLists = 8;

  static std::size_t ListFor(mqtt::Duration left);
  Entry* Oldest() const;

  std::array<LinkedList<Entry>, kLists> finished_;  // The oldest first.
  std::uint64_t finished_count_ = 0;
  mqtt::TimePoint now_{};  // As of TimeIs().
  std::size_t bytes_ = 0;
};

}  // namespace mqttrpc
