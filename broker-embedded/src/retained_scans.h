// Retained messages on their way to a new subscription, as its client takes them.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include <absl/functional/function_ref.h>

#include "memory_budget.h"
#include "retained_store.h"
#include "shared_message.h"
#include "subscription_tree.h"
#include "text_map.h"

namespace mqttrpc::broker {

// The subscriptions of one session whose retained messages were not all given to it
// yet (3.3.1.3). There may be more than a queue holds, so they are looked for only
// when there is room. One shard's thread.
class RetainedScans {
 public:
  explicit RetainedScans(MemoryBudget& budget) : budget_(budget) {}
  ~RetainedScans();
  RetainedScans(const RetainedScans&) = delete;
  RetainedScans& operator=(const RetainedScans&) = delete;

  // `granted` is the subscription. One of the same filter begins anew.
  void Add(std::string_view topic_filter, const SubscriptionOptions& granted);
  void Remove(std::string_view topic_filter);
  void RemoveQoS0();  // What waits for nobody.
  bool empty() const { return scans_.empty(); }

  // Gives messages to `take` in the order of the subscriptions until it refuses one,
  // which then comes again, or `most` were looked at. Returns how many were.
  std::size_t Run(const RetainedStore& retained, mqtt::TimePoint now, std::size_t most,
                  absl::FunctionRef<bool(Delivery&)> take);

 private:
  struct Scan {
    std::string topic_filter;
    SubscriptionOptions granted;
    RetainedStore::Cursor cursor;
  };

  static std::size_t CostOf(const Scan& scan) { return sizeof(Scan) + 2 * scan.topic_filter.size(); }
  void Forget(const Scan& scan);
  template <typename Unwanted>
  void RemoveIf(Unwanted unwanted);

  MemoryBudget& budget_;
  std::deque<Scan> scans_;  // Only the first has begun.
  TextSet topic_filters_;   // Of scans_, each once.
};

}  // namespace mqttrpc::broker
