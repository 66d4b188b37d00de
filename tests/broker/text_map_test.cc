#include "text_map.h"

#include <cstdint>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

namespace mqttrpc::broker {
namespace {

// libstdc++'s std::hash of text: 64-bit MurmurHash2 with a seed that everybody knows. Whoever
// chooses the first eight bytes can choose the other eight so that the hash stays the same.
constexpr std::uint64_t kMultiplier = 0xC6A4A7935BD1E995;

std::uint64_t Shift(std::uint64_t value) { return value ^ (value >> 47); }  // Its own inverse.

std::uint64_t Inverse(std::uint64_t odd) {
  std::uint64_t inverse = odd;
  for (int i = 0; i < 6; ++i) inverse *= 2 - odd * inverse;
  return inverse;
}

// Sixteen bytes; all that this makes have the same std::hash.
std::string Colliding(std::uint64_t first) {
  const auto mixed = [](std::uint64_t word) { return Shift(word * kMultiplier) * kMultiplier; };
  const std::uint64_t seed = 0xC70F6907 ^ (16 * kMultiplier);
  const std::uint64_t after_first = (seed ^ mixed(first)) * kMultiplier;
  const std::uint64_t second = Shift(after_first * Inverse(kMultiplier)) * Inverse(kMultiplier);
  std::string text(16, ' ');
  std::memcpy(text.data(), &first, 8);
  std::memcpy(text.data() + 8, &second, 8);
  return text;
}

#ifdef __GLIBCXX__
TEST(TextHashTest, TheTextsOfTheNextTestCollideInAHashWithoutASeed) {
  const std::hash<std::string_view> hash;
  for (std::uint64_t i = 1; i < 100; ++i) EXPECT_EQ(hash(Colliding(i)), hash(Colliding(0))) << i;
}
#endif

// A client that makes every look-up walk past all its other topics stops the broker.
TEST(TextHashTest, AClientCannotChooseTextsThatCollide) {
  for (std::uint64_t i = 1; i < 100; ++i) EXPECT_NE(TextHash()(Colliding(i)), TextHash()(Colliding(0))) << i;
}

}  // namespace
}  // namespace mqttrpc::broker
