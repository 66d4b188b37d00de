#include "load/call_load.h"

#include <mutex>
#include <utility>

namespace bench {

using Clock = std::chrono::steady_clock;

// One place in a window: makes one call after the other, from the thread that ended
// the one before. Its lock is free but for the moments when somebody collects.
class CallLoad::Slot {
 public:
  Slot(CallLoad& load, Peer& peer, std::size_t caller) : load_(load), peer_(peer), caller_(caller) {}

  void StartNext() {
    started_ = Clock::now();
    peer_.StartCall(caller_, [this](bool ok) { Ended(ok); });
  }

  std::uint64_t ended() const { return ended_.load(std::memory_order_relaxed); }
  std::uint64_t failed() const { return failed_; }  // When no call is under way.
  Latencies TakeLatencies() {
    const std::lock_guard lock(mutex_);
    return std::exchange(latencies_, Latencies());
  }

 private:
  void Ended(bool ok) {
    {
      const std::lock_guard lock(mutex_);
      latencies_.Add(Clock::now() - started_);
    }
    ended_.store(ended() + 1, std::memory_order_relaxed);
    if (!ok) ++failed_;
    if (load_.stopping_.load(std::memory_order_relaxed)) {
      load_.finished_.count_down();
    } else {
      StartNext();
    }
  }

  CallLoad& load_;
  Peer& peer_;
  const std::size_t caller_;
  Clock::time_point started_;
  std::atomic<std::uint64_t> ended_{0};
  std::uint64_t failed_ = 0;
  std::mutex mutex_;
  Latencies latencies_;
};

CallLoad::CallLoad(Peer& peer, std::size_t callers, std::size_t window)
    : finished_(static_cast<std::ptrdiff_t>(callers * window)) {
  for (std::size_t i = 0; i < callers * window; ++i) slots_.push_back(std::make_unique<Slot>(*this, peer, i % callers));
  for (const auto& slot : slots_) slot->StartNext();
}

CallLoad::~CallLoad() {
  Sample ignored;
  Stop(ignored);
}

void CallLoad::Stop(Sample& sample) {
  if (std::exchange(stopped_, true)) return;
  stopping_ = true;
  finished_.wait();
  for (const auto& slot : slots_) sample.losses += slot->failed();
}

std::uint64_t CallLoad::ended() const {
  std::uint64_t sum = 0;
  for (const auto& slot : slots_) sum += slot->ended();
  return sum;
}

Latencies CallLoad::TakeLatencies() {
  Latencies all;
  for (const auto& slot : slots_) all.Add(slot->TakeLatencies());
  return all;
}

}  // namespace bench
