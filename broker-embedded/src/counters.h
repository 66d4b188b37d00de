// What a broker counts.
#pragma once

#include <atomic>
#include <cstdint>

namespace mqttrpc::broker {

// Written on the shard's thread only, read on any: no locked instruction needed.
class Counter {
 public:
  void Add(std::uint64_t n = 1) { Set(value() + n); }
  void Set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  Counter connections;
  Counter subscriptions;
  Counter messages_received;
  Counter messages_sent;
  Counter messages_dropped;
  Counter connections_refused;
};

}  // namespace mqttrpc::broker
