#include "router.h"

#include <algorithm>
#include <utility>

namespace mqttrpc::broker {

Router::Router(const Outbox::Limits& limits, MemoryBudget& budget, Counters& counters)
    : limits_(limits), budget_(budget), counters_(counters), tree_(&budget) {
  tree_.set_on_group_end(
      [this](ShareGroup& group) { counters_.Dropped(DropReason::kNoReceiver).Add(group.backlog().size()); });
}

Router::Result Router::Route(const MessageRef& message, const Subscriber* from) {
  message_ = &message;
  from_ = from;
  ++mark_;
  result_ = Result();
  result_.work += tree_.Match(message->topic_name(), *this);
  result_.matched += copies_.size();
  result_.work += result_.matched;
  for (Copy& copy : copies_) {
    if (copy.target->Deliver(std::move(copy.delivery)) == Outbox::Outcome::kFull) ++result_.dropped;
  }
  copies_.clear();
  return result_;
}

Delivery Router::DeliveryFor(const MessageRef& message, const Subscription& subscription) {
  Delivery delivery(message, std::min(message->qos(), subscription.options.qos));   // MQTT-3.8.4-8
  delivery.retain = subscription.options.retain_as_published && message->retain();  // MQTT-3.3.1-12, MQTT-3.3.1-13
  if (subscription.options.identifier != 0) delivery.identifiers.push_back(subscription.options.identifier);
  if (subscription.group != nullptr) delivery.group = subscription.group->id();
  return delivery;
}

void Router::OnSubscription(const Subscription& subscription) {
  if (subscription.options.no_local && subscription.subscriber == from_) return;  // MQTT-3.8.3-3
  auto& target = static_cast<RouteTarget&>(*subscription.subscriber);
  if (target.route_mark_ != mark_) {
    target.route_mark_ = mark_;
    target.route_slot_ = copies_.size();
    copies_.emplace_back(target, DeliveryFor(*message_, subscription));
    return;
  }
  Delivery& copy = copies_[target.route_slot_].delivery;
  copy.qos = std::max(copy.qos, std::min((*message_)->qos(), subscription.options.qos));  // MQTT-3.3.4-2
  copy.retain = copy.retain || (subscription.options.retain_as_published && (*message_)->retain());
  if (subscription.options.identifier != 0) copy.identifiers.push_back(subscription.options.identifier);
}

// Of the members that can take the message at once, the one with the least
// unacknowledged messages; of equals, the next in turn. Null if none can.
const Subscription* Router::Choose(ShareGroup& group, const MessageRef& message) {
  const auto& members = group.members();
  const Subscription* chosen = nullptr;
  std::size_t least = 0;
  std::size_t chosen_index = 0;
  std::size_t index = group.next();
  for (std::size_t i = 0; i < members.size(); ++i, index = index + 1 == members.size() ? 0 : index + 1) {
    const Subscription& subscription = *members[index];
    const auto load =
        static_cast<const RouteTarget&>(*subscription.subscriber).LoadFor(DeliveryFor(message, subscription));
    if (!load || (chosen != nullptr && *load >= least)) continue;
    chosen = &subscription;
    least = *load;
    chosen_index = index;
    if (least == 0) break;  // Nobody has less to do.
  }
  if (chosen != nullptr) group.set_next(chosen_index + 1);
  return chosen;
}

void Router::OnShareGroup(ShareGroup& group) {
  result_.work += group.members().size();
  // Behind those that wait already, but for QoS 0, which waits for nobody.
  const bool in_turn = group.backlog().empty() || (*message_)->qos() == mqtt::QoS::kAtMostOnce;
  if (const Subscription* chosen = in_turn ? Choose(group, *message_) : nullptr) {
    copies_.emplace_back(static_cast<RouteTarget&>(*chosen->subscriber), DeliveryFor(*message_, *chosen));
    return;
  }
  ++result_.matched;
  if (const auto reason = Hold(group, *message_)) {
    ++result_.dropped;
    counters_.Dropped(*reason).Add();
  }
}

// QoS 0 waits for nobody, and there must be someone who takes more.
bool Router::MayWait(const ShareGroup& group, const MessageRef& message) {
  return message->qos() != mqtt::QoS::kAtMostOnce &&
         std::any_of(group.members().begin(), group.members().end(),
                     [](const Subscription* member) { return member->options.qos != mqtt::QoS::kAtMostOnce; });
}

// Why a message of `bytes` cannot wait behind so many others; empty: it can. `idle`: for
// somebody who takes nothing at the moment.
std::optional<DropReason> Router::NoRoom(std::size_t messages, std::size_t waiting_bytes, std::size_t bytes,
                                         bool idle) const {
  if (messages >= limits_.messages || waiting_bytes >= limits_.bytes) return DropReason::kQueueFull;
  if (idle && waiting_bytes + bytes > budget_.IdleShare()) return DropReason::kMemory;
  return std::nullopt;
}

// Keeps `message` until a member can take it, or says why not. None can at the moment.
std::optional<DropReason> Router::Hold(ShareGroup& group, const MessageRef& message) {
  if (!MayWait(group, message)) return DropReason::kNoReceiver;
  if (budget_.exhausted()) return DropReason::kMemory;
  const auto reason = NoRoom(group.backlog().size(), group.backlog_bytes(), ShareGroup::BytesOf(*message), true);
  if (!reason) group.Hold(message);
  return reason;
}

void Router::Drain(ShareGroup& group) {
  while (!group.backlog().empty()) {
    const Subscription* chosen = Choose(group, group.backlog().front());
    if (chosen == nullptr) return;
    const MessageRef message = group.Take();
    static_cast<RouteTarget&>(*chosen->subscriber).DeliverHeld(DeliveryFor(message, *chosen));
  }
}

void Router::Refill(RouteTarget& target) {
  for (const Subscription* share : target.shares()) {
    ShareGroup& group = *share->group;
    while (!group.backlog().empty() && target.LoadFor(DeliveryFor(group.backlog().front(), *share))) {
      const MessageRef message = group.Take();
      target.DeliverHeld(DeliveryFor(message, *share));
    }
  }
}

void Router::Redistribute(std::vector<Delivery> deliveries) {
  std::stable_sort(deliveries.begin(), deliveries.end(),
                   [](const Delivery& left, const Delivery& right) { return left.group < right.group; });
  for (auto next = deliveries.begin(); next != deliveries.end();) {
    const ShareGroupId id = next->group;
    std::vector<MessageRef> messages;
    for (; next != deliveries.end() && next->group == id; ++next) messages.push_back(std::move(next->message));
    if (ShareGroup* group = tree_.FindGroup(id)) {
      GiveBack(*group, std::move(messages));
    } else {
      counters_.Dropped(DropReason::kNoReceiver).Add(messages.size());
    }
  }
}

// To `group`, of which one member could not finish `messages`.
void Router::GiveBack(ShareGroup& group, std::vector<MessageRef> messages) {
  std::vector<MessageRef> lasting;
  for (MessageRef& message : messages) {
    if (MayWait(group, message)) {
      lasting.push_back(std::move(message));
    } else if (const Subscription* chosen = Choose(group, message)) {
      static_cast<RouteTarget&>(*chosen->subscriber).DeliverHeld(DeliveryFor(message, *chosen));
    } else {
      counters_.Dropped(DropReason::kDisconnected).Add();
    }
  }
  group.HoldFirst(std::move(lasting));
  Drain(group);
  Trim(group);
}

// What one client held may be too much for a group that nobody listens for.
void Router::Trim(ShareGroup& group) {
  const bool idle = std::none_of(group.members().begin(), group.members().end(), [](const Subscription* member) {
    return static_cast<const RouteTarget&>(*member->subscriber).Listens();
  });
  while (!group.backlog().empty()) {
    const std::size_t last = ShareGroup::BytesOf(*group.backlog().back());
    const auto reason = NoRoom(group.backlog().size() - 1, group.backlog_bytes() - last, last, idle);
    if (!reason) return;
    group.DropLast();
    counters_.Dropped(*reason).Add();
  }
}

}  // namespace mqttrpc::broker
