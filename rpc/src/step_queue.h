// The ends of reads and writes, held back until the state that they come from is consistent.
#pragma once

#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>

#include "mqttrpc/mqtt/completion.h"

namespace mqttrpc {

// Under its owner's lock.
class StepQueue {
 public:
  using Step = std::pair<mqtt::Completion<bool>, bool>;

  explicit StepQueue(const asio::any_io_executor& executor)
      : posting_(asio::require(executor, asio::execution::blocking.never)) {}

  // While an operation is being begun: what completes meanwhile does so later, on the
  // executor. A completion must not come inside of its own initiation.
  class Beginning {
   public:
    explicit Beginning(StepQueue& queue) : queue_(queue), before_(std::exchange(queue.beginning_, true)) {}
    ~Beginning() { queue_.beginning_ = before_; }
    Beginning(const Beginning&) = delete;
    Beginning& operator=(const Beginning&) = delete;

   private:
    StepQueue& queue_;
    const bool before_;
  };
  bool beginning() const { return beginning_; }

  // Nothing happens for a completion of nothing.
  void Add(mqtt::Completion<bool> done, bool yes) {
    if (!done) return;
    if (!beginning_) {
      steps_.emplace_back(std::move(done), yes);
    } else {
      posting_.execute([done = std::move(done), yes]() mutable { done(yes); });
    }
  }

  bool empty() const { return steps_.empty(); }
  std::vector<Step> Take() { return std::exchange(steps_, {}); }

 private:
  const asio::any_io_executor posting_;  // asio::post() would make it anew for each.
  std::vector<Step> steps_;
  bool beginning_ = false;
};

}  // namespace mqttrpc
