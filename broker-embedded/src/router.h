// From a message to the outboxes of all it is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "counters.h"
#include "memory_budget.h"
#include "outbox.h"
#include "shared_message.h"
#include "subscription_tree.h"

namespace mqttrpc::broker {

// A subscriber that messages can be handed to.
class RouteTarget : public Subscriber {
 public:
  virtual ~RouteTarget() = default;

  // May queue, never sends: routing does no I/O. Counts what it drops.
  virtual Outbox::Outcome Deliver(Delivery delivery) = 0;

  // For a share group: how many messages it has not acknowledged, if it could take
  // `delivery` at once; empty if not.
  virtual std::optional<std::size_t> LoadFor(const Delivery& delivery) const = 0;
  // ... and gives it what the group held. That is no new memory, so it is not refused
  // for the want of it.
  virtual void DeliverHeld(Delivery delivery) = 0;
  // Whether it takes messages at all at the moment.
  virtual bool Listens() const = 0;
  // What of QoS 1 and 2 it could take at once.
  virtual Outbox::Room room() const = 0;

 private:
  friend class Router;
  // Where a Route() kept this target's copy: the running one, if it is there.
  std::uint32_t route_slot_ = 0;
};

// The way to the other shards of a broker. Sends nothing before the turn's end.
class ShardOutlet {
 public:
  virtual std::size_t index() const = 0;  // Our own.
  virtual void Send(std::size_t shard, const MessageRef& message) = 0;
  virtual void SendToGroup(const ShareGroup::Elsewhere& members, const MessageRef& message, GroupPast past) = 0;
  virtual void OnGroupChanged(ShareGroup& group) = 0;    // UpdateTold() at the turn's end.
  virtual void OnGroupEnd(const ShareGroup& group) = 0;  // It has no members anywhere.

 protected:
  ~ShardOutlet() = default;
};

// The subscriptions of one shard, and what it knows of the others'. Not thread-safe.
class Router final : private MatchSink {
 public:
  // `limits`: what may wait for one share group.
  Router(const Outbox::Limits& limits, MemoryBudget& budget, Counters& counters);

  // Null, or for as long as it routes.
  void set_outlet(ShardOutlet* outlet) { outlet_ = outlet; }

  static constexpr std::size_t kMaximumNodes = 20'000;

  // Whom a message is for.
  enum class Reach {
    kEveryone,   // It was published here.
    kSent,       // The same, and all other shards have got it already.
    kForwarded,  // Another shard has sent it, which sees to share groups itself.
    kFigures,    // Each shard has one of its own: a share group gets one of them.
  };

  // How many clients or share groups wanted the message, and how many got it.
  struct Result {
    std::size_t matched = 0;
    std::size_t dropped = 0;  // Because a queue was full.
    std::size_t work = 0;     // Nodes looked at and queues filled: what it cost.
  };

  // Queues `message` for everyone it is for: one copy for each client, however
  // many of its subscriptions match, at the highest QoS among them and with all
  // their identifiers (MQTT-3.3.4-2 to -4), and one for each share group.
  // `from` is its publisher, for No Local; null if that is gone. If its topic
  // leads to kMaximumNodes of the tree, filters with wildcards do not get it.
  Result Route(const MessageRef& message, const Subscriber* from, Reach reach = Reach::kEveryone);

  // Another shard gives it to our members of a share group. Returns what that cost.
  std::size_t RouteToGroup(const MessageRef& message, ShareGroupId group, GroupPast past);

  // What another shard tells of its members of `group`, who are `group_there`. Ends it if
  // there are none anywhere.
  void OnGroupState(ShareGroup& group, std::size_t shard, ShareGroupId group_there, const GroupState& state);

  // Brings group.told up to date; whether the others should be told. First it gives what
  // waits to those of them who can take it.
  bool UpdateTold(ShareGroup& group);

  // Once a turn: what could not go to another shard while memory was used up goes now.
  void SendOnWhatWaitedForMemory();

  // `target` came, went, or can take less.
  void OnMemberChanged(const RouteTarget& target);

  // `target` can take more, or joined a group: gives it what waits in its groups.
  void Refill(RouteTarget& target);

  // Finds other members for messages that one could not finish; in order.
  void Redistribute(std::vector<Delivery> deliveries);

  SubscriptionTree& subscriptions() { return tree_; }
  const SubscriptionTree& subscriptions() const { return tree_; }

 private:
  class Round;
  struct Copy {
    Copy(RouteTarget& target_in, Delivery delivery_in) : target(&target_in), delivery(std::move(delivery_in)) {}
    RouteTarget* target;
    Delivery delivery;
  };

  void OnSubscription(const Subscription& subscription) override;
  void OnShareGroup(ShareGroup& group) override { groups_.push_back(&group); }
  void OnShards(ShardSet shards) override { shards_ |= shards; }
  void KeepReach(Reach reach);
  void RouteTo(ShareGroup& group);
  void SendOnHeld(ShareGroup& group);
  bool SendOn(ShareGroup& group, const MessageRef& message, GroupPast past);
  void SendTo(ShareGroup::Elsewhere& members, const MessageRef& message, GroupPast past);
  void SendToShards(const MessageRef& message);
  void Changed(ShareGroup& group) {
    if (outlet_ != nullptr) outlet_->OnGroupChanged(group);
  }
  static Delivery DeliveryFor(const MessageRef& message, const Subscription& subscription);
  static std::optional<std::size_t> LoadOf(const Subscription& member, const MessageRef& message);
  static const Subscription* Choose(ShareGroup& group, const MessageRef& message, std::size_t& work);
  static bool KeepsMessages(const ShareGroup& group);
  static bool AnyListens(const ShareGroup& group);
  std::optional<DropReason> NoRoom(std::size_t messages, std::size_t waiting_bytes, std::size_t bytes, bool idle) const;
  std::optional<DropReason> Hold(ShareGroup& group, const MessageRef& message, GroupPast past);
  void GiveBack(ShareGroup& group, std::vector<MessageRef> messages);
  void Trim(ShareGroup& group);
  void Drain(ShareGroup& group);

  const Outbox::Limits limits_;
  MemoryBudget& budget_;
  Counters& counters_;
  SubscriptionTree tree_;
  ShardOutlet* outlet_ = nullptr;
  std::set<ShareGroupId> wait_for_memory_;  // To give other shards what they have kept.

  // Of the running Route() only.
  const MessageRef* message_ = nullptr;
  const Subscriber* from_ = nullptr;
  std::vector<Copy> copies_;
  std::vector<ShareGroup*> groups_;
  ShardSet shards_ = 0;
  Result result_;
};

}  // namespace mqttrpc::broker
