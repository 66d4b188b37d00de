// Which other shards somebody has subscribed on, for Topic Filters without wildcards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "memory_budget.h"
#include "shard_set.h"
#include "text_map.h"

namespace mqttrpc::broker {

// Every shard has one, with the filters of all others: millions, where clients have
// inboxes. So it keeps their hashes only. That of another filter may be the same: then a
// message is sent to a shard that nobody wants it on, which routes it to nobody.
class ExactInterest {
 public:
  using Hash = std::size_t (*)(std::string_view);

  // Charges `budget`, which may be null.
  explicit ExactInterest(MemoryBudget* budget, Hash hash = HashOf) : budget_(budget), hash_(hash) {}
  ~ExactInterest() { Charge(-shards_.size()); }
  ExactInterest(const ExactInterest&) = delete;
  ExactInterest& operator=(const ExactInterest&) = delete;

  // A shard has its first subscription with that filter, or no longer one; alternately.
  void Add(std::size_t shard, std::string_view topic_filter);
  void Remove(std::size_t shard, std::string_view topic_filter);

  ShardSet Find(std::string_view topic_name) const {
    if (shards_.empty()) return 0;
    const auto found = shards_.find(hash_(topic_name));
    return found == shards_.end() ? 0 : found->second;
  }

  std::size_t size() const { return shards_.size(); }

 private:
  static std::size_t HashOf(std::string_view text) { return TextHash()(text); }

  // Unsigned arithmetic: a negative number gives back.
  void Charge(std::size_t entries) {
    constexpr std::size_t kCostOfEntry = 32;  // In a hash map that is not full, about.
    if (budget_ != nullptr) budget_->Take(entries * kCostOfEntry);
  }

  MemoryBudget* const budget_;
  const Hash hash_;
  absl::flat_hash_map<std::size_t, ShardSet> shards_;  // By hash.
  // How many filters more of a shard have a hash that it has already.
  absl::flat_hash_map<std::pair<std::size_t, std::size_t>, std::size_t> more_;
};

}  // namespace mqttrpc::broker
