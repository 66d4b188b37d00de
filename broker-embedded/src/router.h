// From a message to the outboxes of all it is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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

 private:
  friend class Router;
  // Where a Route() kept this target's copy: the running one, if it is there.
  std::uint32_t route_slot_ = 0;
};

// The subscriptions of one shard. Not thread-safe. A second shard would get the
// same MessageRef's bytes through its own Route(): nothing here is reached from
// outside the call.
class Router final : private MatchSink {
 public:
  // `limits`: what may wait for one share group.
  Router(const Outbox::Limits& limits, MemoryBudget& budget, Counters& counters);

  static constexpr std::size_t kMaximumNodes = 20'000;

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
  Result Route(const MessageRef& message, const Subscriber* from);

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
  void RouteTo(ShareGroup& group);
  static Delivery DeliveryFor(const MessageRef& message, const Subscription& subscription);
  static std::optional<std::size_t> LoadOf(const Subscription& member, const MessageRef& message);
  static const Subscription* Choose(ShareGroup& group, const MessageRef& message);
  static bool KeepsMessages(const ShareGroup& group);
  std::optional<DropReason> NoRoom(std::size_t messages, std::size_t waiting_bytes, std::size_t bytes, bool idle) const;
  std::optional<DropReason> Hold(ShareGroup& group, const MessageRef& message);
  void GiveBack(ShareGroup& group, std::vector<MessageRef> messages);
  void Trim(ShareGroup& group);
  static void Drain(ShareGroup& group);

  const Outbox::Limits limits_;
  MemoryBudget& budget_;
  Counters& counters_;
  SubscriptionTree tree_;

  // Of the running Route() only.
  const MessageRef* message_ = nullptr;
  const Subscriber* from_ = nullptr;
  std::vector<Copy> copies_;
  std::vector<ShareGroup*> groups_;
  Result result_;
};

}  // namespace mqttrpc::broker
