// A shared subscription: many clients, of whom one gets each message (MQTT 4.8.2).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fifo.h"
#include "memory_budget.h"
#include "shared_message.h"

namespace mqttrpc::broker {

struct FilterNode;
struct Subscription;

// What one shard tells the others of its members of a share group.
struct GroupState {
  std::uint32_t members = 0;
  std::uint32_t listening = 0;  // Of them; when there are many, only about how many.
  std::uint32_t room = 0;       // QoS 1 and 2 messages that they could take at once, or some of those.
  std::size_t largest = kAny;   // In packets of so many bytes at most.
  bool keeps = false;           // Some of them take more than QoS 0.

  static constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

  bool operator==(const GroupState&) const = default;
};

// What has become of a message for a share group before another shard is given it.
enum class GroupPast : std::uint8_t {
  kNew,      // Nobody has had it.
  kRefused,  // Nobody of one shard could take it: the next one keeps it, or nobody does.
  kKept,     // A shard has kept it: it is no new memory, and is not dropped for want of it.
};

// Everyone who shares one `$share/{name}/{filter}`, and what waits until one of
// them can take it. Messages wait here and not with a member, so that none is
// stranded with one that is away while another is idle.
//
// Of a broker's shards each has the group with its own members, and what the others tell
// of theirs. A message is held by one shard at a time.
class ShareGroup {
 public:
  // `topic_filter` is whole. The places of what waits are taken from `budget`, which may be
  // null.
  ShareGroup(std::string_view topic_filter, ShareGroupId id, std::size_t position, MemoryBudget* budget)
      : topic_filter_(topic_filter), id_(id), position_(position), budget_(budget) {}
  ~ShareGroup() { Charge(-backlog_.size()); }
  ShareGroup(const ShareGroup&) = delete;
  ShareGroup& operator=(const ShareGroup&) = delete;

  ShareGroupId id() const { return id_; }
  const std::string& topic_filter() const { return topic_filter_; }       // "$share/{name}/{filter}"
  const std::vector<Subscription*>& members() const { return members_; }  // Of this shard.

  // Members of another shard.
  struct Elsewhere {
    std::size_t shard = 0;
    ShareGroupId group = 0;  // There.
    GroupState state;
  };
  const std::vector<Elsewhere>& elsewhere() const { return elsewhere_; }
  void SetElsewhere(std::size_t shard, ShareGroupId group, const GroupState& state) {
    const auto found = std::find_if(elsewhere_.begin(), elsewhere_.end(),
                                    [shard](const Elsewhere& each) { return each.shard == shard; });
    if (state.members == 0) {
      if (found != elsewhere_.end()) elsewhere_.erase(found);
    } else if (found != elsewhere_.end()) {
      found->state = state;
    } else {
      elsewhere_.push_back({shard, group, state});
    }
  }

  // Whose turn it is, in proportion to members that listen, if that is another shard's
  // that can take the message; null: ours.
  Elsewhere* NextElsewhere(const SharedMessage& message) {
    std::uint32_t all = told.listening;
    for (const Elsewhere& each : elsewhere_) all += each.state.listening;
    if (all == told.listening) return nullptr;
    turn_ = (turn_ + 1) % all;
    std::uint32_t passed = told.listening;
    for (Elsewhere& each : elsewhere_) {
      passed += each.state.listening;
      if (turn_ < passed) return turn_ >= told.listening && CanTake(each, message) ? &each : nullptr;
    }
    return nullptr;
  }
  // Anyone who can; null if nobody.
  Elsewhere* AnyElsewhere(const SharedMessage& message) {
    const auto found = std::find_if(elsewhere_.begin(), elsewhere_.end(),
                                    [&](const Elsewhere& each) { return CanTake(each, message); });
    return found == elsewhere_.end() ? nullptr : &*found;
  }

  // Notes for telling the others; see Router.
  GroupState told;               // What they know of our members.
  std::uint32_t received = 0;    // Messages that they gave to our members since then.
  bool changed = false;          // Perhaps.
  std::size_t work_to_tell = 1;  // How many members that asked last time.
  // The smallest packet that none of our members could take, and since then none has had
  // room for. 0: there was none.
  std::size_t refused = 0;
  void Refused(const SharedMessage& message) {
    refused = refused == 0 ? PacketBytesOf(message) : std::min(refused, PacketBytesOf(message));
  }

  // Where the next round begins; less than members().size().
  std::size_t next() const { return next_ < members_.size() ? next_ : 0; }
  void set_next(std::size_t next) { next_ = next; }

  // The oldest first. Never empty of the oldest while a younger one is delivered.
  mqtt::Fifo<MessageRef>& backlog() { return backlog_; }
  std::size_t backlog_bytes() const { return backlog_bytes_; }
  void Hold(MessageRef message) {
    backlog_bytes_ += BytesOf(*message);
    Charge(1);
    backlog_.push(std::move(message));
  }
  // In front of all others, in order.
  void HoldFirst(std::vector<MessageRef> messages) {
    for (const MessageRef& message : messages) backlog_bytes_ += BytesOf(*message);
    Charge(messages.size());
    backlog_.Prepend(std::move(messages));
  }
  MessageRef Take() {
    MessageRef message = backlog_.pop();
    Forget(*message);
    return message;
  }
  void DropLast() { Forget(*backlog_.PopBack()); }

  // Whether it waits for somebody who has room for it.
  static bool NeedsRoom(const SharedMessage& message) { return message.qos() != mqtt::QoS::kAtMostOnce; }
  // About what a packet with it takes at most, on whatever subscription.
  static std::size_t PacketBytesOf(const SharedMessage& message) { return BytesOf(message) + 32; }
  // What a message counts here.
  static std::size_t BytesOf(const SharedMessage& message) {
    return sizeof(MessageRef) + message.topic_name().size() + message.tail().size();
  }

 private:
  friend class SubscriptionTree;

  // What a place takes besides its message, of which one may wait for each of many
  // groups. Half of the vector may be empty.
  static constexpr std::size_t kCostOfPlace = 2 * sizeof(MessageRef);

  static constexpr std::size_t kKeptPlaces = 4;  // Of an empty backlog.

  // Unsigned arithmetic: a negative number gives back.
  void Charge(std::size_t places) {
    if (budget_ != nullptr) budget_->Take(places * kCostOfPlace);
  }
  // One that is too large, and has nobody here, waits best where somebody is: smaller ones
  // wait behind it there, and do not take all the room there ever is.
  bool CanTake(const Elsewhere& each, const SharedMessage& message) const {
    if (!NeedsRoom(message)) return each.state.listening > 0;
    return each.state.room > 0 && (told.listening == 0 || PacketBytesOf(message) <= each.state.largest);
  }
  void Forget(const SharedMessage& message) {
    backlog_.Trim(kKeptPlaces);
    backlog_bytes_ -= BytesOf(message);
    Charge(static_cast<std::size_t>(-1));
  }

  const std::string topic_filter_;
  const ShareGroupId id_;
  FilterNode* node_ = nullptr;
  std::size_t position_;  // In the node's list.
  MemoryBudget* const budget_;
  std::vector<Subscription*> members_;
  std::vector<Elsewhere> elsewhere_;
  std::uint32_t turn_ = 0;
  std::size_t next_ = 0;
  mqtt::Fifo<MessageRef> backlog_;
  std::size_t backlog_bytes_ = 0;
};

}  // namespace mqttrpc::broker
