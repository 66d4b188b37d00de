// Retained messages: the last one of each topic (MQTT 3.3.1.3).
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <absl/functional/function_ref.h>

#include "mqttrpc/mqtt/deadline_queue.h"
#include "shared_message.h"

namespace mqttrpc::broker {

// Ordered by Topic Name, so that a filter with a wildcard looks only at the topics
// that begin as it does. One shard's thread.
class RetainedStore {
 public:
  struct Limits {
    Limits(std::size_t messages_in, std::size_t bytes_in) : messages(messages_in), bytes(bytes_in) {}
    std::size_t messages;
    std::size_t bytes;  // See bytes().
  };

  explicit RetainedStore(const Limits& limits) : limits_(limits) {}
  ~RetainedStore();
  RetainedStore(const RetainedStore&) = delete;
  RetainedStore& operator=(const RetainedStore&) = delete;

  enum class Outcome {
    kStored,
    kRemoved,  // The payload is empty: there is none any more (MQTT-3.3.1-6, MQTT-3.3.1-7).
    kFull,     // Over the limits; what was there stays.
  };
  // Puts `message` in the place of the one with its Topic Name (MQTT-3.3.1-5).
  Outcome Set(const MessageRef& message);

  // The same in two steps: whether it may be kept, and to keep it whatever the limits.
  bool HasRoomFor(const SharedMessage& message) const;
  Outcome Put(const MessageRef& message);

  // How far a Match() has come.
  struct Cursor {
    bool done = false;
    bool begun = false;
    std::string after;  // The last Topic Name looked at; empty: none.
  };

  // Calls `visit`, in the order of Topic Names, for each message that is for
  // `topic_filter` (checked, not shared) and not expired: from `cursor` on, until
  // `visit` refuses one, which then comes again, or `most` were looked at, long Topic
  // Names counting more. Returns how many were. The store may change between two calls.
  std::size_t Match(std::string_view topic_filter, mqtt::TimePoint now, Cursor& cursor, std::size_t most,
                    absl::FunctionRef<bool(const MessageRef&)> visit) const;

  mqtt::TimePoint next_expiry() const { return expiries_.Next(); }
  // At most `most` of them; returns how many.
  std::size_t RemoveExpired(mqtt::TimePoint now, std::size_t most);

  std::size_t size() const { return messages_.size(); }
  // Topic Names, properties and payloads, and what it takes to find them. The
  // messages themselves are charged to the broker's budget like all others.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry final : mqtt::DeadlineQueue::Entry {
    MessageRef message;
  };
  using Messages = std::map<std::string, Entry, std::less<>>;

  static std::size_t BytesOf(const SharedMessage& message);
  void Remove(Messages::iterator entry);

  const Limits limits_;
  Messages messages_;
  mqtt::DeadlineQueue expiries_;
  std::size_t bytes_ = 0;
};

}  // namespace mqttrpc::broker
