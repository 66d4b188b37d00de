#include "exact_interest.h"

#include <map>
#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace mqttrpc::broker {
namespace {

// Hashes of filters.
constexpr std::size_t kAB = 1;
constexpr std::size_t kAC = 2;

TEST(ExactInterestTest, TellsTheShardsThatHaveAFilter) {
  ExactInterest interest(nullptr);
  interest.Add(1, kAB);
  interest.Add(31, kAB);
  EXPECT_EQ(interest.Find(kAB), SetOf(1) | SetOf(31));
  EXPECT_EQ(interest.Find(kAC), 0u);
  interest.Remove(1, kAB);
  EXPECT_EQ(interest.Find(kAB), SetOf(31));
  interest.Remove(31, kAB);
  EXPECT_EQ(interest.Find(kAB), 0u);
  EXPECT_EQ(interest.size(), 0u);
}

TEST(ExactInterestTest, WhatWasNeverAddedIsNotRemoved) {
  ExactInterest interest(nullptr);
  interest.Add(2, kAB);
  interest.Remove(1, kAB);
  interest.Remove(2, kAC);
  EXPECT_EQ(interest.Find(kAB), SetOf(2));
}

// Hashes that are equal may cost a message in vain, but never lose one.
TEST(ExactInterestTest, NoFilterIsLostAmongOthersWithItsHash) {
  ExactInterest interest(nullptr);
  std::map<std::string, std::set<std::size_t>> wanted;
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::string filter(1, static_cast<char>('a' + random() % 8));
    const std::size_t shard = random() % 4;
    if (wanted[filter].insert(shard).second) {
      interest.Add(shard, kAB);
    } else {
      wanted[filter].erase(shard);
      interest.Remove(shard, kAB);
    }
    ShardSet all = 0;
    for (const auto& [each, shards] : wanted) {
      for (const std::size_t one : shards) all |= SetOf(one);
    }
    ASSERT_EQ(interest.Find(kAB), all);
  }
}

TEST(ExactInterestTest, GivesItsMemoryBack) {
  MemoryBudget budget(1'000'000);
  {
    ExactInterest interest(&budget);
    for (std::size_t i = 0; i < 100; ++i) interest.Add(1, i);
    EXPECT_GT(budget.used(), 0u);
    for (std::size_t i = 0; i < 50; ++i) interest.Remove(1, i);
  }
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace mqttrpc::broker
