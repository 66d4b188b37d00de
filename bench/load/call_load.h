// Closed-loop load of calls: a fixed number of them under way.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <vector>

#include "report/latencies.h"
#include "report/sample.h"
#include "systems/peer.h"

namespace bench {

class CallLoad {
 public:
  // Keeps `window` calls of each caller under way from now on.
  CallLoad(Peer& peer, std::size_t callers, std::size_t window);
  ~CallLoad();

  // Starts no more calls and waits for those under way. Calls that failed are losses.
  void Stop(Sample& sample);

  std::uint64_t ended() const;  // Calls that have ended so far.
  Latencies TakeLatencies();    // Those of the calls that have ended since the last time.

 private:
  class Slot;

  std::atomic<bool> stopping_{false};
  std::latch finished_;
  bool stopped_ = false;
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace bench
