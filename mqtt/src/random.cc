#include "mqttrpc/mqtt/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace mqttrpc::mqtt {
namespace {

class KernelRandom final : public Random {
 public:
  void Fill(std::span<std::byte> into) override {
    while (!into.empty()) {
      const ssize_t got = getrandom(into.data(), into.size(), 0);
      if (got > 0) {
        into = into.subspan(static_cast<std::size_t>(got));
      } else if (errno != EINTR) {
        std::abort();  // No entropy: predictable ids would be worse than the end.
      }
    }
  }
};

}  // namespace

std::uint64_t Random::Next() {
  std::uint64_t bits = 0;
  Fill(std::as_writable_bytes(std::span(&bits, 1)));
  return bits;
}

std::uint64_t Random::Below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // The values above the last whole multiple of `bound` would favour small results.
  const std::uint64_t excess = (0 - bound) % bound;  // 2^64 mod bound
  for (;;) {
    const std::uint64_t bits = Next();
    if (bits <= ~std::uint64_t{0} - excess) return bits % bound;
  }
}

Random& SystemRandom() {
  static KernelRandom& random = *new KernelRandom;
  return random;
}

}  // namespace mqttrpc::mqtt
