#include "load.h"

#include <algorithm>
#include <latch>
#include <vector>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// One place in the window: makes one call after the other. Only the thread that
// ends its call touches it, so that no lock is measured.
class Slot {
 public:
  Slot(Peer& peer, Clock::time_point end, std::latch& finished) : peer_(peer), end_(end), finished_(finished) {}

  void StartNext() {
    started_ = Clock::now();
    peer_.StartCall([this](bool ok) { Ended(ok); });
  }

  const std::vector<std::chrono::nanoseconds>& latencies() const { return latencies_; }
  std::uint64_t failures() const { return failures_; }

 private:
  void Ended(bool ok) {
    const Clock::time_point now = Clock::now();
    latencies_.push_back(now - started_);
    if (!ok) ++failures_;
    if (now < end_) {
      StartNext();
    } else {
      finished_.count_down();
    }
  }

  Peer& peer_;
  Clock::time_point end_;
  std::latch& finished_;
  Clock::time_point started_;
  std::vector<std::chrono::nanoseconds> latencies_;
  std::uint64_t failures_ = 0;
};

}  // namespace

LoadResult RunLoad(Peer& peer, std::size_t window, std::chrono::milliseconds duration) {
  const Clock::time_point start = Clock::now();
  std::latch finished(static_cast<std::ptrdiff_t>(window));
  std::vector<Slot> slots(window, Slot(peer, start + duration, finished));
  for (Slot& slot : slots) slot.StartNext();
  finished.wait();
  const std::chrono::duration<double> taken = Clock::now() - start;

  LoadResult result;
  std::vector<std::chrono::nanoseconds> all;
  for (const Slot& slot : slots) {
    all.insert(all.end(), slot.latencies().begin(), slot.latencies().end());
    result.failures += slot.failures();
  }
  std::sort(all.begin(), all.end());
  result.calls = all.size();
  result.calls_per_second = static_cast<double>(all.size()) / taken.count();
  result.p50 = all[all.size() / 2];
  result.p99 = all[all.size() * 99 / 100];
  return result;
}

}  // namespace bench
