#include "exact_interest.h"

namespace mqttrpc::broker {

void ExactInterest::Add(std::size_t shard, std::size_t hash) {
  const auto [found, is_new] = shards_.try_emplace(hash, 0);
  if (is_new && budget_ != nullptr) budget_->Take(kCostOfEntry);
  if ((found->second & SetOf(shard)) != 0) {
    ++more_[{hash, shard}];
  } else {
    found->second |= SetOf(shard);
  }
}

void ExactInterest::Remove(std::size_t shard, std::size_t hash) {
  const auto found = shards_.find(hash);
  if (found == shards_.end() || (found->second & SetOf(shard)) == 0) return;
  if (const auto more = more_.find({hash, shard}); more != more_.end()) {
    if (--more->second == 0) more_.erase(more);
    return;
  }
  found->second &= ~SetOf(shard);
  if (found->second != 0) return;
  shards_.erase(found);
  if (budget_ != nullptr) budget_->Give(kCostOfEntry);
}

}  // namespace mqttrpc::broker
