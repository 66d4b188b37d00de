#include "router.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace mqttrpc::broker {

Router::Router(const Outbox::Limits& limits, MemoryBudget& budget, Counters& counters)
    : limits_(limits), budget_(budget), counters_(counters), tree_(&budget) {
  tree_.set_on_group_end([this](ShareGroup& group) {
    counters_.Dropped(DropReason::kNoReceiver).Add(group.backlog().size());
    wait_for_memory_.erase(group.id());
    if (outlet_ != nullptr) outlet_->OnGroupEnd(group);
  });
  tree_.set_on_group_change([this](ShareGroup& group) { Changed(group); });
}

Router::Result Router::Route(const MessageRef& message, const Subscriber* from, Reach reach) {
  message_ = &message;
  from_ = from;
  result_ = Result();
  copies_.clear();
  groups_.clear();
  shards_ = 0;
  tree_.MatchExact(message->topic_name(), *this);
  const ShardSet exact_shards = shards_;
  const std::size_t exact_copies = copies_.size();
  const std::size_t exact_groups = groups_.size();
  result_.work = 1 + tree_.MatchWildcards(message->topic_name(), *this, kMaximumNodes);
  if (result_.work > kMaximumNodes) {
    copies_.erase(copies_.begin() + static_cast<std::ptrdiff_t>(exact_copies), copies_.end());
    groups_.resize(exact_groups);
    shards_ = exact_shards;
    counters_.Dropped(DropReason::kTooCostly).Add();
    result_.matched = result_.dropped = 1;
  }
  if (outlet_ != nullptr) KeepReach(reach);
  for (ShareGroup* group : groups_) RouteTo(*group);
  result_.matched += copies_.size() + static_cast<std::size_t>(std::popcount(shards_));
  result_.work += result_.matched;
  for (Copy& copy : copies_) {
    if (copy.target->Deliver(std::move(copy.delivery)) == Outbox::Outcome::kFull) ++result_.dropped;
  }
  copies_.clear();
  if (shards_ != 0 && reach == Reach::kEveryone) SendToShards(message);
  return result_;
}

// Takes out what is not for us to serve.
void Router::KeepReach(Reach reach) {
  if (reach == Reach::kForwarded) groups_.clear();
  if (reach == Reach::kForwarded || reach == Reach::kFigures) shards_ = 0;
  if (reach != Reach::kFigures) return;
  std::erase_if(groups_, [this](const ShareGroup* group) {
    const auto& others = group->elsewhere();
    return std::any_of(others.begin(), others.end(),
                       [this](const auto& each) { return each.shard < outlet_->index(); });
  });
}

void Router::SendToShards(const MessageRef& message) {
  ForEachShard(shards_, [&](std::size_t shard) {
    if (budget_.HasRoomFor(message->block_bytes())) return outlet_->Send(shard, message);
    ++result_.dropped;
    counters_.Dropped(DropReason::kMemory).Add();
  });
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

}  // namespace mqttrpc::broker
