#include "exact_interest.h"

#include <map>
#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace mqttrpc::broker {
namespace {

TEST(ExactInterestTest, TellsTheShardsThatHaveAFilter) {
  ExactInterest interest(nullptr);
  interest.Add(1, "a/b");
  interest.Add(31, "a/b");
  EXPECT_EQ(interest.Find("a/b"), SetOf(1) | SetOf(31));
  EXPECT_EQ(interest.Find("a/c"), 0u);
  interest.Remove(1, "a/b");
  EXPECT_EQ(interest.Find("a/b"), SetOf(31));
  interest.Remove(31, "a/b");
  EXPECT_EQ(interest.Find("a/b"), 0u);
  EXPECT_EQ(interest.size(), 0u);
}

TEST(ExactInterestTest, WhatWasNeverAddedIsNotRemoved) {
  ExactInterest interest(nullptr);
  interest.Add(2, "a");
  interest.Remove(1, "a");
  interest.Remove(2, "b");
  EXPECT_EQ(interest.Find("a"), SetOf(2));
}

// Hashes that are equal may cost a message in vain, but never lose one.
TEST(ExactInterestTest, NoFilterIsLostAmongOthersWithItsHash) {
  ExactInterest interest(nullptr, [](std::string_view text) { return text.size(); });
  std::map<std::string, std::set<std::size_t>> wanted;
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::string filter(1, static_cast<char>('a' + random() % 8));
    const std::size_t shard = random() % 4;
    if (wanted[filter].insert(shard).second) {
      interest.Add(shard, filter);
    } else {
      wanted[filter].erase(shard);
      interest.Remove(shard, filter);
    }
    ShardSet all = 0;
    for (const auto& [each, shards] : wanted) {
      for (const std::size_t one : shards) all |= SetOf(one);
    }
    ASSERT_EQ(interest.Find("x"), all);
  }
}

TEST(ExactInterestTest, GivesItsMemoryBack) {
  MemoryBudget budget(1'000'000);
  {
    ExactInterest interest(&budget);
    for (int i = 0; i < 100; ++i) interest.Add(1, std::to_string(i));
    EXPECT_GT(budget.used(), 0u);
    for (int i = 0; i < 50; ++i) interest.Remove(1, std::to_string(i));
  }
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace mqttrpc::broker
