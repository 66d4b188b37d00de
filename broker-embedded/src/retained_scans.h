// Retained messages on their way to a new subscription, as its client takes them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/functional/function_ref.h>

#include "fifo.h"
#include "memory_budget.h"
#include "mqttrpc/mqtt/clock.h"
#include "retained_store.h"
#include "shared_message.h"
#include "subscription_tree.h"
#include "text_map.h"

namespace mqttrpc::broker {

// `message` for a subscription that began after it (3.3.1.3).
Delivery RetainedDelivery(const MessageRef& message, const SubscriptionOptions& granted);

// The subscriptions of one session whose retained messages were not all given to it
// yet (3.3.1.3). There may be more than a queue holds, so they are looked for only
// when there is room. One shard's thread.
class RetainedScans {
 public:
  explicit RetainedScans(MemoryBudget& budget) : budget_(budget) {}
  ~RetainedScans();
  RetainedScans(const RetainedScans&) = delete;
  RetainedScans& operator=(const RetainedScans&) = delete;

  // `granted` is the subscription. One of the same filter that has begun begins anew.
  void Add(std::string_view topic_filter, const SubscriptionOptions& granted);
  void Remove(std::string_view topic_filter);
  void RemoveQoS0();  // What waits for nobody.
  bool empty() const { return queue_.empty(); }

  // Gives messages to `take` in the order of the subscriptions until it refuses one,
  // which then comes again, or `most` were looked at. Returns how many were.
  std::size_t Run(const RetainedStore& retained, mqtt::TimePoint now, std::size_t most,
                  absl::FunctionRef<bool(Delivery&)> take);

  // When nothing else would tell that there is room: the connection's note.
  mqtt::TimePoint again_at = mqtt::kNever;

 private:
  struct Scan {
    SubscriptionOptions granted;
    bool wanted = true;  // Else it goes when its turn comes.
  };

  static std::size_t CostOf(std::string_view topic_filter) { return sizeof(Scan) + 128 + 2 * topic_filter.size(); }
  void PopFront();
  void DropUnwanted();

  MemoryBudget& budget_;
  mqtt::Fifo<std::string> queue_;  // Topic Filters, each once, all of them in scans_.
  TextMap<Scan> scans_;
  std::size_t unwanted_ = 0;
  RetainedStore::Cursor cursor_;  // Of the first.
};

}  // namespace mqttrpc::broker
