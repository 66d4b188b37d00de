// Closed-loop load: a fixed number of calls under way.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "peer.h"

namespace bench {

struct LoadResult {
  double calls_per_second = 0;
  std::chrono::nanoseconds p50{0};
  std::chrono::nanoseconds p99{0};
  std::uint64_t calls = 0;
  std::uint64_t failures = 0;
};

// Keeps `window` calls under way for `duration`. Latency is from StartCall to its end.
LoadResult RunLoad(Peer& peer, std::size_t window, std::chrono::milliseconds duration);

}  // namespace bench
