#include "spare_blocks.h"

#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace mqttrpc::mqtt {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

TEST(SpareBlocksTest, GiveALargeBlockToTheNextWhoNeedsOne) {
  SpareBlocks spares(10 * kMiB);
  const char* memory = nullptr;
  {
    const Block first = Block::Of(kMiB, &spares);
    memory = first.data();
    EXPECT_EQ(spares.bytes(), 0u);
  }
  EXPECT_EQ(spares.bytes(), kMiB);
  const Block next = Block::Of(kMiB - 1000, &spares);
  EXPECT_EQ(next.data(), memory);
  EXPECT_EQ(next.size(), kMiB);
  EXPECT_EQ(spares.bytes(), 0u);
}

TEST(SpareBlocksTest, GiveNoBlockThatIsTooSmallOrMuchTooLarge) {
  SpareBlocks spares(10 * kMiB);
  {
    const Block block = Block::Of(kMiB, &spares);
  }
  EXPECT_TRUE(spares.Take(kMiB + 1).empty());
  EXPECT_TRUE(spares.Take(kMiB / 2).empty());
  EXPECT_EQ(spares.bytes(), kMiB);
}

TEST(SpareBlocksTest, TakeBackWhatWasReleased) {
  SpareBlocks spares(10 * kMiB);
  Block block = Block::Of(kMiB, &spares);
  const std::size_t size = block.size();
  char* const memory = block.Release();
  EXPECT_TRUE(block.empty());
  spares.Give(memory, size);
  EXPECT_EQ(spares.Take(kMiB).data(), memory);
}

TEST(SpareBlocksTest, KeepWhatCameLastWhenAllWouldBeTooMuch) {
  SpareBlocks spares(4 * kMiB);
  {
    const Block old = Block::Of(kMiB, &spares);
    const Block newer = Block::Of(3 * kMiB, &spares);
    const Block newest = Block::Of(kMiB, &spares);  // Destroyed first, so it is the oldest of the spares.
  }
  EXPECT_LE(spares.bytes(), 4 * kMiB);
  EXPECT_FALSE(spares.Take(3 * kMiB).empty());
  {
    const Block too_large = Block::Of(5 * kMiB, &spares);
  }
  EXPECT_LE(spares.bytes(), 4 * kMiB);
  EXPECT_TRUE(spares.Take(5 * kMiB).empty());
}

TEST(SpareBlocksTest, GiveSmallOnesToThoseWhoNeedAsMuch) {
  SpareBlocks spares(10 * kMiB);
  for (std::size_t bytes = 1; bytes <= 1'016; ++bytes) {
    const char* memory = nullptr;
    std::size_t size = 0;
    {
      const Block block = Block::Of(bytes, &spares);
      memory = block.data();
      size = block.size();
      EXPECT_GE(size, bytes);
      EXPECT_LT(size, bytes + 16);
      std::memset(block.data(), 'x', size);
    }
    const Block as_much = Block::Of(size, &spares);
    EXPECT_EQ(as_much.data(), memory);
    const Block more = Block::Of(size + 1, &spares);
    EXPECT_NE(more.data(), memory);
    EXPECT_GT(more.size(), size);
  }
}

TEST(SpareBlocksTest, KeepFewSmallOnes) {
  SpareBlocks spares(kMiB);
  std::vector<Block> blocks(100'000);
  for (Block& block : blocks) block = Block::Of(100, &spares);
  blocks.clear();
  EXPECT_GT(spares.bytes(), kMiB / 4 - 200);
  EXPECT_LE(spares.bytes(), kMiB / 4);
}

// Once it was full of others, it would be of no use for ever.
TEST(SpareBlocksTest, SmallOnesOfASizeThatNobodyNeedsGiveWay) {
  SpareBlocks spares(kMiB);
  const auto hold = [&](std::size_t count, std::size_t bytes) {
    std::vector<Block> blocks(count);
    for (Block& block : blocks) block = Block::Of(bytes, &spares);
  };
  hold(1'000, 1'000);
  hold(1'000, 100);
  std::size_t kept = 0;
  std::vector<Block> blocks;
  for (Block block = spares.Take(100); !block.empty(); block = spares.Take(100)) {
    ++kept;
    blocks.push_back(std::move(block));
  }
  EXPECT_EQ(kept, 1'000u);
  EXPECT_GT(spares.bytes(), 0u) << "the others, as far as there is room";
  blocks.clear();
  EXPECT_LE(spares.bytes(), kMiB / 4);
}

#ifdef __SANITIZE_ADDRESS__
TEST(SpareBlocksDeathTest, AddressSanitizerFindsWhoUsesASpareOne) {
  SpareBlocks spares(10 * kMiB);
  for (const std::size_t bytes : {std::size_t{100}, kMiB}) {
    const char* memory = nullptr;
    {
      const Block block = Block::Of(bytes, &spares);
      memory = block.data();
    }
    EXPECT_DEATH(std::fputc(memory[50], stderr), "use-after-poison");
  }
}
#endif

// One whose size was changed is of use to whom it is surely enough for.
TEST(SpareBlocksTest, KnowTheSizeOfASmallOneThatHasChanged) {
  SpareBlocks spares(kMiB);
  {
    Block block = Block::Of(2'000, &spares);
    block.Resize(100);
  }
  EXPECT_TRUE(spares.Take(89).empty());
  const Block block = spares.Take(88);
  EXPECT_EQ(block.size(), 88u);
  EXPECT_EQ(spares.bytes(), 0u);
}

TEST(SpareBlocksTest, KeepNoneBetweenSmallAndLarge) {
  SpareBlocks spares(10 * kMiB);
  {
    const Block block = Block::Of(1'017, &spares);
    const Block larger = Block::Of(10'000, &spares);
  }
  EXPECT_EQ(spares.bytes(), 0u);
}

}  // namespace
}  // namespace mqttrpc::mqtt
