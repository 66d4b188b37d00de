#include "block.h"

#include <cstring>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace mqttrpc::mqtt {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

TEST(BlockTest, KeepsItsBytesWhenItGrows) {
  Block block = Block::Of(100, nullptr);
  std::memset(block.data(), 'x', 100);
  block.Resize(10 * kMiB);
  EXPECT_EQ(block.size(), 10 * kMiB);
  EXPECT_EQ(std::string(block.data(), 100), std::string(100, 'x'));
  Block other = std::move(block);
  EXPECT_TRUE(block.empty());  // NOLINT(bugprone-use-after-move): what it promises.
  EXPECT_EQ(other.size(), 10 * kMiB);
}

}  // namespace
}  // namespace mqttrpc::mqtt
