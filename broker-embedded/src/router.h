// From a message to the queues of all it is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "counters.h"
#include "out_queue.h"
#include "shared_message.h"
#include "subscription_tree.h"

namespace mqttrpc::broker {

// A subscriber that messages can be handed to.
class RouteTarget : public Subscriber {
 public:
  virtual ~RouteTarget() = default;

  // May queue, never sends: routing does no I/O.
  virtual OutQueue::Outcome Deliver(Delivery delivery) = 0;
  virtual OutQueue::Readiness ReadinessFor(const Delivery& delivery) const = 0;

 private:
  friend class Router;
  // Where the running Route() keeps this target's copy, if its mark is ours.
  std::uint64_t route_mark_ = 0;
  std::size_t route_slot_ = 0;
};

// The subscriptions of one shard. Not thread-safe. A second shard would get the
// same MessageRef's bytes through its own Route(): nothing here is reached from
// outside the call.
class Router final : private MatchSink {
 public:
  explicit Router(Counters& counters) : counters_(counters) {}

  // How many clients or share groups wanted the message, and how many got it.
  struct Result {
    std::size_t matched = 0;
    std::size_t dropped = 0;  // Because a queue was full.
  };

  // Queues `message` for everyone it is for: one copy for each client, however
  // many of its subscriptions match, at the highest QoS among them and with all
  // their identifiers (MQTT-3.3.4-2 to -4), and one for each share group.
  // `from` is its publisher, for No Local; null if that is gone.
  Result Route(const MessageRef& message, const Subscriber* from);

  SubscriptionTree& subscriptions() { return tree_; }
  const SubscriptionTree& subscriptions() const { return tree_; }

 private:
  struct Copy {
    Copy(RouteTarget& target_in, Delivery delivery_in) : target(&target_in), delivery(std::move(delivery_in)) {}
    RouteTarget* target;
    Delivery delivery;
  };

  void OnSubscription(const Subscription& subscription) override;
  void OnShareGroup(ShareGroup& group) override;
  Delivery DeliveryFor(const Subscription& subscription) const;

  Counters& counters_;
  SubscriptionTree tree_;

  // Of the running Route() only.
  const MessageRef* message_ = nullptr;
  const Subscriber* from_ = nullptr;
  std::uint64_t mark_ = 0;
  std::vector<Copy> copies_;
  Result result_;
};

}  // namespace mqttrpc::broker
