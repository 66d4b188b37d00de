#include "router.h"

#include <algorithm>
#include <map>
#include <utility>

namespace mqttrpc::broker {
namespace {

// Among so many members that can take a message, one is idle enough; and of many
// messages that are given away at once.
constexpr std::size_t kEnoughMembers = 64;
constexpr std::size_t kEnoughForMany = 16;

}  // namespace

Router::Router(const Outbox::Limits& limits, MemoryBudget& budget, Counters& counters)
    : limits_(limits), budget_(budget), counters_(counters), tree_(&budget) {
  tree_.set_on_group_end(
      [this](ShareGroup& group) { counters_.Dropped(DropReason::kNoReceiver).Add(group.backlog().size()); });
}

Router::Result Router::Route(const MessageRef& message, const Subscriber* from) {
  message_ = &message;
  from_ = from;
  result_ = Result();
  copies_.clear();
  groups_.clear();
  tree_.MatchExact(message->topic_name(), *this);
  const std::size_t exact_copies = copies_.size();
  const std::size_t exact_groups = groups_.size();
  result_.work = 1 + tree_.MatchWildcards(message->topic_name(), *this, kMaximumNodes);
  if (result_.work > kMaximumNodes) {
    copies_.erase(copies_.begin() + static_cast<std::ptrdiff_t>(exact_copies), copies_.end());
    groups_.resize(exact_groups);
    counters_.Dropped(DropReason::kTooCostly).Add();
    result_.matched = result_.dropped = 1;
  }
  for (ShareGroup* group : groups_) RouteTo(*group);
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
  if (target.route_slot_ >= copies_.size() || copies_[target.route_slot_].target != &target) {
    target.route_slot_ = static_cast<std::uint32_t>(copies_.size());
    copies_.emplace_back(target, DeliveryFor(*message_, subscription));
    return;
  }
  Delivery& copy = copies_[target.route_slot_].delivery;
  copy.qos = std::max(copy.qos, std::min((*message_)->qos(), subscription.options.qos));  // MQTT-3.3.4-2
  copy.retain = copy.retain || (subscription.options.retain_as_published && (*message_)->retain());
  if (subscription.options.identifier != 0) copy.identifiers.push_back(subscription.options.identifier);
}

std::optional<std::size_t> Router::LoadOf(const Subscription& member, const MessageRef& message) {
  return static_cast<const RouteTarget&>(*member.subscriber).LoadFor(DeliveryFor(message, member));
}

// Of the members that can take the message at once, the one with the least
// unacknowledged messages; of equals, the next in turn. Null if none can. Of very many
// not all are asked.
const Subscription* Router::Choose(ShareGroup& group, const MessageRef& message) {
  const auto& members = group.members();
  const Subscription* chosen = nullptr;
  std::size_t least = 0;
  std::size_t able = 0;
  std::size_t chosen_index = 0;
  std::size_t index = group.next();
  for (std::size_t i = 0; i < members.size() && able < kEnoughMembers;
       ++i, index = index + 1 == members.size() ? 0 : index + 1) {
    const auto load = LoadOf(*members[index], message);
    if (!load) continue;
    ++able;
    if (chosen != nullptr && *load >= least) continue;
    chosen = members[index];
    least = *load;
    chosen_index = index;
    if (least == 0) break;  // Nobody has less to do.
  }
  if (chosen != nullptr) group.set_next(chosen_index + 1);
  return chosen;
}

// Chooses as above for many messages, one after the other. Who cannot take one is not
// asked again: so many members that can take nothing cost their number once. They have
// something unacknowledged, and get more when they have acknowledged it.
class Router::Round {
 public:
  explicit Round(const ShareGroup& group) : able_(group.members()) {
    std::rotate(able_.begin(), able_.begin() + static_cast<std::ptrdiff_t>(group.next()), able_.end());
  }

  const Subscription* Next(const MessageRef& message) {
    const Subscription* chosen = nullptr;
    std::size_t least = 0;
    for (std::size_t asked = 0; asked < std::min(able_.size(), kEnoughForMany); ++asked) {
      const auto load = LoadOfNext(message);
      if (!load) break;
      const Subscription* const member = able_[next_++];
      if (chosen != nullptr && *load >= least) continue;
      chosen = member;
      least = *load;
      if (least == 0) break;
    }
    return chosen;
  }

 private:
  // Of able_[next_], which is made one that can take the message. Empty if there is none.
  std::optional<std::size_t> LoadOfNext(const MessageRef& message) {
    while (!able_.empty()) {
      if (next_ >= able_.size()) next_ = 0;
      if (const auto load = LoadOf(*able_[next_], message)) return load;
      able_[next_] = able_.back();
      able_.pop_back();
    }
    return std::nullopt;
  }

  std::vector<Subscription*> able_;
  std::size_t next_ = 0;
};

void Router::RouteTo(ShareGroup& group) {
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

// Whether there is someone who takes more than QoS 0, which waits for nobody.
bool Router::KeepsMessages(const ShareGroup& group) {
  return std::any_of(group.members().begin(), group.members().end(),
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
  if (message->qos() == mqtt::QoS::kAtMostOnce || !KeepsMessages(group)) return DropReason::kNoReceiver;
  if (budget_.exhausted()) return DropReason::kMemory;
  const auto reason = NoRoom(group.backlog().size(), group.backlog_bytes(), ShareGroup::BytesOf(*message), true);
  if (!reason) group.Hold(message);
  return reason;
}

void Router::Drain(ShareGroup& group) {
  for (Round round(group); !group.backlog().empty();) {
    const Subscription* chosen = round.Next(group.backlog().front());
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
  std::map<ShareGroupId, std::vector<MessageRef>> by_group;
  for (Delivery& delivery : deliveries) by_group[delivery.group].push_back(std::move(delivery.message));
  for (auto& [id, messages] : by_group) {
    if (ShareGroup* group = tree_.FindGroup(id)) {
      GiveBack(*group, std::move(messages));
    } else {
      counters_.Dropped(DropReason::kNoReceiver).Add(messages.size());
    }
  }
}

// To `group`, of which one member could not finish `messages`.
void Router::GiveBack(ShareGroup& group, std::vector<MessageRef> messages) {
  const bool keeps = KeepsMessages(group);
  std::vector<MessageRef> lasting;
  Round round(group);
  for (MessageRef& message : messages) {
    if (keeps && message->qos() != mqtt::QoS::kAtMostOnce) {
      lasting.push_back(std::move(message));
    } else if (const Subscription* chosen = round.Next(message)) {
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
