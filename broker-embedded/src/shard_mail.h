// What the shards of one broker tell each other, and the boxes it waits in.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "counters.h"
#include "share_group.h"
#include "shared_message.h"

namespace mqttrpc::broker {

// For your subscribers; if retained, to be kept. Once posted, `message` is the receiver's own.
struct MessageMail {
  explicit MessageMail(MessageRef message_in) : message(std::move(message_in)) {}
  MessageRef message;
};

// For one of your members of a share group.
struct GroupMessageMail {
  GroupMessageMail(MessageRef message_in, std::string topic_filter_in)
      : message(std::move(message_in)), topic_filter(std::move(topic_filter_in)) {}
  MessageRef message;
  std::string topic_filter;
};

// I have my first subscription with a Topic Filter, or no longer one.
struct InterestMail {
  InterestMail(std::string topic_filter_in, bool begins_in)
      : topic_filter(std::move(topic_filter_in)), begins(begins_in) {}
  std::string topic_filter;
  bool begins;
};

// What my members of a share group can do.
struct GroupStateMail {
  GroupStateMail(std::string topic_filter_in, const GroupState& state_in)
      : topic_filter(std::move(topic_filter_in)), state(state_in) {}
  std::string topic_filter;
  GroupState state;
};

struct Mail {
  using What = std::variant<MessageMail, GroupMessageMail, InterestMail, GroupStateMail>;
  Mail(std::size_t from_in, What what_in) : from(from_in), what(std::move(what_in)) {}
  std::size_t from;  // The sender.
  What what;

  // That it brings; null: none.
  MessageRef* message() {
    if (auto* const mail = std::get_if<MessageMail>(&what)) return &mail->message;
    auto* const mail = std::get_if<GroupMessageMail>(&what);
    return mail == nullptr ? nullptr : &mail->message;
  }
};

// In one batch, in order.
struct MailBatch {
  std::vector<Mail> mails;
  std::size_t bytes = 0;  // Of the messages in it.
};

// Where one shard gets its mail: first in, first out, from all others.
class Mailbox {
 public:
  // Called by whoever posts to an empty box: the owner is to Take(). Any thread.
  void set_wake(std::function<void()> wake) { wake_ = std::move(wake); }

  // Any thread. Takes what is in `batch`.
  void Post(MailBatch& batch);

  // The owner. What has come is appended to `mails`.
  void Take(std::vector<Mail>& mails);
  bool empty() const { return !filled_.load(std::memory_order_acquire); }

  // Of the messages in it. Any thread.
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  std::function<void()> wake_;  // Set at the beginning.
  std::mutex mutex_;
  MailBatch waiting_;  // Guarded.
  std::atomic<bool> filled_{false};
  std::atomic<std::size_t> bytes_{0};
};

// All that the shards of one broker share. Outlives them.
class PostOffice {
 public:
  PostOffice(std::size_t shards, std::uint64_t seed) : seed_(seed), boxes_(shards), counters_(shards) {}

  std::size_t shards() const { return boxes_.size(); }
  Mailbox& box(std::size_t shard) { return boxes_[shard]; }

  // Where the session of a client is, for ever. The seed keeps clients from choosing.
  std::size_t HomeOf(std::string_view client_id) const;

  // Retained messages go to all shards in one order, so that all keep the same: hold it while
  // you post one to all others and Take() what came before it (docs/decisions/0014-several-shards.md).
  std::mutex& retained_order() { return retained_order_; }

  // Whose they are sees to it that they are there while anyone may ask.
  void set_counters(std::size_t shard, const Counters& counters) { counters_[shard] = &counters; }
  const Counters& counters(std::size_t shard) const { return *counters_[shard]; }

 private:
  const std::uint64_t seed_;
  std::vector<Mailbox> boxes_;
  std::vector<const Counters*> counters_;
  std::mutex retained_order_;
};

}  // namespace mqttrpc::broker
