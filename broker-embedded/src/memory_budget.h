// How many bytes all clients' queues hold together, and how many they may.
#pragma once

#include <cstddef>

namespace mqttrpc::broker {

// Three marks make the chain of back-pressure: at three quarters publishers are
// no longer read from, at the limit new messages are dropped, at one half
// reading goes on. One shard's thread only.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit) : limit_(limit) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  void Take(std::size_t bytes) { used_ += bytes; }
  void Give(std::size_t bytes) { used_ -= bytes; }

  std::size_t used() const { return used_; }
  bool exhausted() const { return used_ >= limit_; }
  bool tight() const { return used_ >= limit_ - limit_ / 4; }
  bool relaxed() const { return used_ <= limit_ / 2; }

 private:
  const std::size_t limit_;
  std::size_t used_ = 0;
};

}  // namespace mqttrpc::broker
