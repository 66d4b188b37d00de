#include "retained_scans.h"

#include <algorithm>
#include <utility>

namespace mqttrpc::broker {

RetainedScans::~RetainedScans() {
  RemoveIf([](const Scan&) { return true; });
}

template <typename Unwanted>
void RetainedScans::RemoveIf(Unwanted unwanted) {
  std::erase_if(scans_, [&](const Scan& scan) {
    if (!unwanted(scan)) return false;
    Forget(scan);
    return true;
  });
}

void RetainedScans::Forget(const Scan& scan) {
  topic_filters_.erase(scan.topic_filter);
  budget_.Give(CostOf(scan));
}

void RetainedScans::Add(std::string_view topic_filter, const SubscriptionOptions& granted) {
  Remove(topic_filter);
  Scan& scan = scans_.emplace_back();
  scan.topic_filter = topic_filter;
  scan.granted = granted;
  topic_filters_.insert(scan.topic_filter);
  budget_.Take(CostOf(scan));
}

void RetainedScans::Remove(std::string_view topic_filter) {
  if (!topic_filters_.contains(topic_filter)) return;
  RemoveIf([&](const Scan& scan) { return scan.topic_filter == topic_filter; });
}

void RetainedScans::RemoveQoS0() {
  RemoveIf([](const Scan& scan) { return scan.granted.qos == mqtt::QoS::kAtMostOnce; });
}

std::size_t RetainedScans::Run(const RetainedStore& retained, mqtt::TimePoint now, std::size_t most,
                               absl::FunctionRef<bool(Delivery&)> take) {
  std::size_t looked_at = 0;
  while (!scans_.empty() && looked_at < most) {
    Scan& scan = scans_.front();
    const auto visit = [&](const MessageRef& message) {
      Delivery delivery(message, std::min(message->qos(), scan.granted.qos));
      delivery.retain = true;  // MQTT-3.3.1-8
      if (scan.granted.identifier != 0) delivery.identifiers.push_back(scan.granted.identifier);
      return take(delivery);
    };
    looked_at += retained.Match(scan.topic_filter, now, scan.cursor, most - looked_at, visit);
    if (!scan.cursor.done) break;
    Forget(scan);
    scans_.pop_front();
  }
  return looked_at;
}

}  // namespace mqttrpc::broker
