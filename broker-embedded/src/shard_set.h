// Names the shards of one broker, and sets of them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "mqttrpc/broker/options.h"

namespace mqttrpc::broker {

// Bit i is shard i.
using ShardSet = std::uint32_t;

static_assert(kMaximumShards <= std::numeric_limits<ShardSet>::digits);

constexpr ShardSet SetOf(std::size_t shard) { return ShardSet{1} << shard; }

template <typename Visit>
void ForEachShard(ShardSet shards, Visit visit) {
  for (; shards != 0; shards &= shards - 1) visit(static_cast<std::size_t>(std::countr_zero(shards)));
}

}  // namespace mqttrpc::broker
