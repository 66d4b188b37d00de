// What the shards of one broker tell each other, and the boxes it waits in.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "counters.h"
#include "shard_set.h"
#include "share_group.h"
#include "shared_message.h"

namespace mqttrpc::broker {

// For your subscribers; if retained, to be kept. Or for one of your members of a share
// group. Once posted, `message` is the receiver's own.
struct ForwardedMessage {
  explicit ForwardedMessage(MessageRef message_in) : message(std::move(message_in)) {}
  std::size_t bytes() const { return sizeof(ForwardedMessage) + message->block_bytes(); }

  MessageRef message;
  ShareGroupId group = 0;            // The receiver's; 0: for subscribers.
  GroupPast past = GroupPast::kNew;  // For a group.
};

// What somebody on a shard has begun, or no longer wants.
struct News {
  // I have my first subscription with a Topic Filter, or no longer one.
  static News OfInterest(std::string_view topic_filter, bool begins) {
    News news;
    news.topic_filter = topic_filter;
    news.begins = begins;
    return news;
  }
  // What my members of a share group can do. The filter is told when its first member comes.
  static News OfGroup(ShareGroupId group, std::string_view topic_filter, const GroupState& state) {
    News news;
    news.topic_filter = topic_filter;
    news.group = group;
    news.state = state;
    return news;
  }
  std::size_t bytes() const { return sizeof(News) + topic_filter.size(); }
  // What it makes its receiver do, in the units of BrokerCore::work: each level may be a node.
  std::size_t work() const { return 4 + topic_filter.size() / 2; }

  std::size_t from = 0;  // The sender.
  std::string topic_filter;
  ShareGroupId group = 0;  // The sender's; 0: it is of interest.
  bool begins = false;
  GroupState state;
};

// In one batch; each kind in order.
struct MailBatch {
  std::vector<News> news;
  std::vector<ForwardedMessage> messages;
};

// Keeps its memory, unless that is much.
template <typename T>
void ClearAndTrim(std::vector<T>& list) {
  constexpr std::size_t kKeptPlaces = 4'096;
  list.clear();
  if (list.capacity() > kKeptPlaces) list.shrink_to_fit();
}

// Where one shard gets its mail: first in, first out, from all others. What it has taken
// counts as in it until it is handled.
class Mailbox {
 public:
  // Above so many bytes, or too much work, those who fill it should wait.
  void set_most_bytes(std::size_t most_bytes) { most_bytes_ = most_bytes; }
  // Called by whoever posts to an empty box: the owner is to Take(). Any thread.
  void set_wake(std::function<void()> wake) { wake_ = std::move(wake); }
  void Wake() const {
    if (wake_) wake_();
  }

  // Any thread. Takes what is in `batch`.
  void Post(MailBatch& batch);

  // The owner. What has come is appended to `mail`.
  void Take(MailBatch& mail);
  bool empty() const { return !filled_.load(std::memory_order_acquire); }

  // The owner has handled so much of what it took. Returns whom to wake; see
  // WakeWhenRoomy().
  ShardSet OnHandled(std::size_t bytes, std::size_t mails);
  // So much work, in the units of BrokerCore::work, were some messages of them.
  void OnWorked(std::size_t messages, std::size_t work);

  // Any thread, as for all that follows.
  std::size_t bytes() const { return bytes_.load(); }
  // About how much work one more message for the owner makes.
  std::size_t work_per_message() const { return work_per_message_.load(std::memory_order_relaxed); }
  bool crowded() const { return IsOver(1, 1); }
  bool overfull() const { return IsOver(4, 1); }  // However little each of those who fill it does.
  // Whether more than half of what makes it crowded is in it; then `shard` is woken when that
  // is over.
  bool WakeWhenRoomy(std::size_t shard);

 private:
  bool IsOver(std::size_t factor, std::size_t divisor) const;

  std::size_t most_bytes_ = std::numeric_limits<std::size_t>::max() / 8;  // Set at the beginning.
  std::function<void()> wake_;                                            // The same.
  std::mutex mutex_;
  MailBatch waiting_;  // Guarded.
  std::atomic<bool> filled_{false};
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> mails_{0};
  std::atomic<std::size_t> work_per_message_{1};
  std::atomic<ShardSet> wait_for_room_{0};
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

  // What all subscriptions take; see SubscriptionTree::Join().
  std::atomic<std::size_t>& subscription_bytes() { return subscription_bytes_; }

  // Whose they are sees to it that they are there while anyone may ask.
  void set_counters(std::size_t shard, const Counters& counters) { counters_[shard] = &counters; }
  const Counters& counters(std::size_t shard) const { return *counters_[shard]; }

 private:
  const std::uint64_t seed_;
  std::vector<Mailbox> boxes_;
  std::vector<const Counters*> counters_;
  std::mutex retained_order_;
  std::atomic<std::size_t> subscription_bytes_{0};
};

}  // namespace mqttrpc::broker
