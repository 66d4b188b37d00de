#include "router.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace mqttrpc::broker {

Router::Result Router::Route(const MessageRef& message, const Subscriber* from) {
  message_ = &message;
  from_ = from;
  ++mark_;
  result_ = Result();
  tree_.Match(message->topic_name(), *this);
  result_.matched += copies_.size();
  for (Copy& copy : copies_) {
    const auto outcome = copy.target->Deliver(std::move(copy.delivery));
    if (outcome == OutQueue::Outcome::kQueued) continue;
    counters_.messages_dropped.Add();
    if (outcome == OutQueue::Outcome::kFull) ++result_.dropped;
  }
  copies_.clear();
  return result_;
}

Delivery Router::DeliveryFor(const Subscription& subscription) const {
  Delivery delivery(*message_, std::min((*message_)->qos(), subscription.options.qos));  // MQTT-3.8.4-8
  if (subscription.options.identifier != 0) delivery.identifiers.push_back(subscription.options.identifier);
  return delivery;
}

void Router::OnSubscription(const Subscription& subscription) {
  if (subscription.options.no_local && subscription.subscriber == from_) return;  // MQTT-3.8.3-3
  auto& target = static_cast<RouteTarget&>(*subscription.subscriber);
  if (target.route_mark_ != mark_) {
    target.route_mark_ = mark_;
    target.route_slot_ = copies_.size();
    copies_.emplace_back(target, DeliveryFor(subscription));
    return;
  }
  Delivery& copy = copies_[target.route_slot_].delivery;
  copy.qos = std::max(copy.qos, std::min((*message_)->qos(), subscription.options.qos));  // MQTT-3.3.4-2
  if (subscription.options.identifier != 0) copy.identifiers.push_back(subscription.options.identifier);
}

// Round robin. A member whose queue is full is passed over, and one that must
// wait for acknowledgements only gets its turn when all have to.
void Router::OnShareGroup(ShareGroup& group) {
  const auto& members = group.members();
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::size_t index = (group.next() + i) % members.size();
    const auto& member = static_cast<RouteTarget&>(*members[index]->subscriber);
    const auto readiness = member.ReadinessFor(DeliveryFor(*members[index]));
    if (readiness == OutQueue::Readiness::kNever) continue;
    if (readiness == OutQueue::Readiness::kNow) {
      chosen = index;
      break;
    }
    if (!chosen) chosen = index;
  }
  if (!chosen) {
    ++result_.matched;
    ++result_.dropped;
    counters_.messages_dropped.Add();
    return;
  }
  group.set_next(*chosen + 1);
  const Subscription& subscription = *members[*chosen];
  copies_.emplace_back(static_cast<RouteTarget&>(*subscription.subscriber), DeliveryFor(subscription));
}

}  // namespace mqttrpc::broker
