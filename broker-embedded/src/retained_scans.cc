#include "retained_scans.h"

#include <algorithm>
#include <utility>

namespace mqttrpc::broker {

Delivery RetainedDelivery(const MessageRef& message, const SubscriptionOptions& granted) {
  Delivery delivery(message, std::min(message->qos(), granted.qos));
  delivery.retain = true;  // MQTT-3.3.1-8
  if (granted.identifier != 0) delivery.identifiers.push_back(granted.identifier);
  return delivery;
}

RetainedScans::~RetainedScans() {
  while (!queue_.empty()) PopFront();
}

void RetainedScans::PopFront() {
  const auto found = scans_.find(queue_.front());
  if (!found->second.wanted) --unwanted_;
  scans_.erase(found);
  budget_.Give(CostOf(queue_.pop()));
  cursor_ = RetainedStore::Cursor();
}

void RetainedScans::Add(std::string_view topic_filter, const SubscriptionOptions& granted) {
  const auto [found, is_new] = scans_.try_emplace(std::string(topic_filter));
  if (!found->second.wanted) --unwanted_;
  found->second.granted = granted;
  found->second.wanted = true;
  if (!is_new) {
    if (queue_.front() == topic_filter) cursor_ = RetainedStore::Cursor();
    return;
  }
  queue_.push(std::string(topic_filter));
  budget_.Take(CostOf(topic_filter));
}

void RetainedScans::Remove(std::string_view topic_filter) {
  const auto found = scans_.find(topic_filter);
  if (found == scans_.end() || !std::exchange(found->second.wanted, false)) return;
  ++unwanted_;
  DropUnwanted();
}

void RetainedScans::RemoveQoS0() {
  for (auto& [topic_filter, scan] : scans_) {
    if (scan.granted.qos == mqtt::QoS::kAtMostOnce && std::exchange(scan.wanted, false)) ++unwanted_;
  }
  DropUnwanted();
}

// When they are most of all: what a client subscribes to and leaves again does not pile up.
void RetainedScans::DropUnwanted() {
  if (2 * unwanted_ <= queue_.size()) return;
  const std::string first = queue_.front();
  const RetainedStore::Cursor cursor = cursor_;
  for (std::size_t left = queue_.size(); left > 0; --left) {
    const bool wanted = scans_.find(queue_.front())->second.wanted;
    if (wanted) {
      queue_.push(queue_.pop());
    } else {
      PopFront();
    }
  }
  cursor_ = !queue_.empty() && queue_.front() == first ? cursor : RetainedStore::Cursor();
}

std::size_t RetainedScans::Run(const RetainedStore& retained, mqtt::TimePoint now, std::size_t most,
                               absl::FunctionRef<bool(Delivery&)> take) {
  std::size_t looked_at = 0;
  for (; !queue_.empty() && looked_at < most; PopFront()) {
    const Scan& scan = scans_.find(queue_.front())->second;
    if (!scan.wanted) continue;
    const auto visit = [&](const MessageRef& message) {
      Delivery delivery = RetainedDelivery(message, scan.granted);
      return take(delivery);
    };
    looked_at += retained.Match(queue_.front(), now, cursor_, most - looked_at, visit);
    if (!cursor_.done) break;
  }
  return looked_at;
}

}  // namespace mqttrpc::broker
