// Randomness that repeats: the same seed gives the same bytes.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>

#include "mqttrpc/mqtt/random.h"

namespace mqttrpc::testing {

// Any thread; but only draws in the same order repeat. Not fit for secrets.
class SeededRandom final : public mqtt::Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}

  void Fill(std::span<std::byte> into) override {
    const std::lock_guard lock(mutex_);
    for (std::byte& each : into) each = static_cast<std::byte>(engine_() >> 32);
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;  // Its sequence is fixed by the C++ standard.
};

}  // namespace mqttrpc::testing
