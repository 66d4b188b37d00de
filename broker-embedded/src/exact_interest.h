// Which other shards somebody has subscribed on, for Topic Filters without wildcards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "memory_budget.h"
#include "shard_set.h"

namespace mqttrpc::broker {

// Every shard has one, with the filters of all others: millions, where clients have
// inboxes. So it knows their hashes only. That of another filter may be the same: then a
// message is sent to a shard that nobody wants it on, which routes it to nobody.
class ExactInterest {
 public:
  static constexpr std::size_t kCostOfEntry = 32;  // In a hash map that is not full, about.

  // Charges `budget`, which may be null.
  explicit ExactInterest(MemoryBudget* budget) : budget_(budget) {}
  ~ExactInterest() {
    if (budget_ != nullptr) budget_->Give(shards_.size() * kCostOfEntry);
  }
  ExactInterest(const ExactInterest&) = delete;
  ExactInterest& operator=(const ExactInterest&) = delete;

  // A shard has its first subscription with a filter of that hash, or no longer one;
  // alternately for each filter.
  void Add(std::size_t shard, std::size_t hash);
  void Remove(std::size_t shard, std::size_t hash);

  ShardSet Find(std::size_t hash) const {
    const auto found = shards_.find(hash);
    return found == shards_.end() ? 0 : found->second;
  }

  std::size_t size() const { return shards_.size(); }

 private:
  MemoryBudget* const budget_;
  absl::flat_hash_map<std::size_t, ShardSet> shards_;  // By hash.
  // How many filters more of a shard have a hash that it has already.
  absl::flat_hash_map<std::pair<std::size_t, std::size_t>, std::size_t> more_;
};

}  // namespace mqttrpc::broker
