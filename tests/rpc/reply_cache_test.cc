#include "reply_cache.h"

#include <gtest/gtest.h>

namespace mqttrpc {
namespace {

using std::chrono::seconds;

constexpr mqtt::TimePoint kNow{std::chrono::hours(1)};
constexpr mqtt::TimePoint kDeadline = kNow + seconds(5);

mqtt::Message SomeAnswer(std::size_t bytes) { return mqtt::Message("rpc1/r/me/1", std::string(bytes, 'x')); }

TEST(ReplyCacheTest, TellsNewFromRunningFromFinished) {
  ReplyCache cache(10'000);
  EXPECT_EQ(cache.Find("me", "1"), nullptr);
  ReplyCache::Entry& entry = cache.Begin("me", "1", kDeadline, nullptr);
  ASSERT_EQ(cache.Find("me", "1"), &entry);
  EXPECT_FALSE(entry.finished);
  cache.Finish(entry, SomeAnswer(10));
  ASSERT_NE(cache.Find("me", "1"), nullptr);
  EXPECT_TRUE(cache.Find("me", "1")->finished);
  EXPECT_EQ(cache.Find("me", "1")->answer->ToMessage().payload, std::string(10, 'x'));
}

TEST(ReplyCacheTest, CallersDoNotMeet) {
  ReplyCache cache(10'000);
  cache.Begin("me", "1", kDeadline, nullptr);
  EXPECT_EQ(cache.Find("you", "1"), nullptr);
  EXPECT_EQ(cache.Find("m", "e1"), nullptr);
  EXPECT_EQ(cache.Find("me", std::string_view("1\0", 2)), nullptr);
}

TEST(ReplyCacheTest, KeepsAnswersSixtySecondsBeyondTheDeadline) {
  ReplyCache cache(10'000);
  cache.Finish(cache.Begin("me", "1", kDeadline, nullptr), SomeAnswer(1));
  cache.TimeIs(kDeadline + seconds(59));
  EXPECT_NE(cache.Find("me", "1"), nullptr);
  cache.TimeIs(kDeadline + seconds(60));
  EXPECT_EQ(cache.Find("me", "1"), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ReplyCacheTest, TheOldestGoFirstOverTheCap) {
  ReplyCache cache(10'000);
  for (const char id : {'a', 'b', 'c', 'd'}) {
    cache.Finish(cache.Begin("me", std::string(1, id), kDeadline, nullptr), SomeAnswer(3000));
  }
  EXPECT_LE(cache.bytes(), 10'000u);
  EXPECT_EQ(cache.Find("me", "a"), nullptr);
  EXPECT_NE(cache.Find("me", "d"), nullptr);
}

// Else a flood of requests would make a handler run twice.
TEST(ReplyCacheTest, WhatRunsIsKeptInAnyCase) {
  ReplyCache cache(1000);
  cache.Begin("me", "running", kDeadline, nullptr);
  for (int i = 0; i < 100; ++i) {
    cache.Finish(cache.Begin("me", std::to_string(i), kDeadline, nullptr), SomeAnswer(500));
  }
  cache.TimeIs(kDeadline + seconds(1000));
  EXPECT_NE(cache.Find("me", "running"), nullptr);
}

TEST(ReplyCacheTest, OfAnAnswerOverTheWholeCapOnlyTheFactIsKept) {
  ReplyCache cache(1000);
  cache.Finish(cache.Begin("me", "1", kDeadline, nullptr), SomeAnswer(5000));
  ASSERT_NE(cache.Find("me", "1"), nullptr);
  EXPECT_TRUE(cache.Find("me", "1")->finished);
  EXPECT_FALSE(cache.Find("me", "1")->answer.has_value());
  EXPECT_LE(cache.bytes(), 1000u);
}

}  // namespace
}  // namespace mqttrpc
