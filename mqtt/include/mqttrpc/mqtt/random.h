// Injected randomness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mqttrpc::mqtt {

// Where random bits come from: the system, or a seed.
class Random {
 public:
  virtual ~Random() = default;

  // Fills `into` whole. Any thread.
  virtual void Fill(std::span<std::byte> into) = 0;

  // 64 random bits.
  std::uint64_t Next();

  // Uniform in [0, bound); 0 if `bound` is 0.
  std::uint64_t Below(std::uint64_t bound);
};

// The kernel's generator, fit for secrets. Any thread; lives for ever.
Random& SystemRandom();

}  // namespace mqttrpc::mqtt
