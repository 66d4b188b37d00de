#include "in_flight.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace mqttrpc::mqtt {
namespace {

TEST(InFlightTest, GivesRisingIdsFromOneAndFindsWhatWaits) {
  InFlight<std::string> waiting;
  EXPECT_EQ(waiting.Add("a"), 1);
  EXPECT_EQ(waiting.Add("b"), 2);
  EXPECT_EQ(*waiting.Find(1), "a");
  EXPECT_EQ(waiting.Find(0), nullptr);
  EXPECT_EQ(waiting.Find(3), nullptr);
  EXPECT_EQ(waiting.Find(65'535), nullptr);
  EXPECT_EQ(waiting.size(), 2u);
}

TEST(InFlightTest, RemoveFreesOnceAndInAnyOrder) {
  InFlight<std::unique_ptr<int>> waiting;
  for (int i = 1; i <= 3; ++i) waiting.Add(std::make_unique<int>(i));
  EXPECT_EQ(**waiting.Remove(2), 2);
  EXPECT_EQ(waiting.Remove(2), std::nullopt);
  EXPECT_EQ(waiting.Find(2), nullptr);
  EXPECT_EQ(waiting.size(), 2u);
  EXPECT_EQ(**waiting.Remove(1), 1);
  EXPECT_EQ(**waiting.Remove(3), 3);
  EXPECT_TRUE(waiting.empty());
  EXPECT_EQ(waiting.Remove(3), std::nullopt);
}

TEST(InFlightTest, NeverGivesAnIdInUseAndNeverZero) {  // MQTT-2.2.1-3, MQTT-2.2.1-4
  InFlight<int> waiting;
  for (int i = 0; i < 65'535; ++i) {
    const auto id = waiting.Add(i);
    ASSERT_TRUE(id.has_value());
    ASSERT_EQ(*id, i + 1);
  }
  EXPECT_EQ(waiting.Add(0), std::nullopt);
  EXPECT_EQ(*waiting.Find(65'535), 65'534);
  EXPECT_EQ(waiting.Remove(1), 0);
  EXPECT_EQ(waiting.Add(7), 1);  // Behind 65,535 comes 1, not 0.
  EXPECT_EQ(*waiting.Find(1), 7);
  EXPECT_EQ(waiting.Add(0), std::nullopt);
}

TEST(InFlightTest, GoesOnWhenSomeAreNeverRemovedAndTakesPlaceForThoseOnly) {
  InFlight<int> waiting;
  std::vector<std::pair<PacketId, int>> kept;
  for (int i = 0; i < 200'000; ++i) {
    const auto id = waiting.Add(i);
    ASSERT_TRUE(id.has_value());
    ASSERT_TRUE(std::none_of(kept.begin(), kept.end(), [&](const auto& entry) { return entry.first == *id; }));
    if (i % 20'000 == 0) {
      kept.emplace_back(*id, i);
    } else {
      ASSERT_EQ(waiting.Remove(*id), i);
    }
    ASSERT_EQ(waiting.size(), kept.size());
    ASSERT_LE(waiting.gaps(), 2 * kept.size() + 65);
    ASSERT_LE(waiting.places(), 5 * kept.size() + 65);
  }
  std::vector<std::pair<PacketId, int>> seen;
  waiting.ForEach([&](PacketId id, int& item) { seen.emplace_back(id, item); });
  EXPECT_EQ(seen, kept);  // In the order of Add, not of the identifiers.
  for (const auto& [id, item] : kept) {
    ASSERT_NE(waiting.Find(id), nullptr);
    EXPECT_EQ(*waiting.Find(id), item);
    EXPECT_EQ(waiting.Remove(id), item);
    EXPECT_EQ(waiting.Remove(id), std::nullopt);
  }
  EXPECT_TRUE(waiting.empty());
}

TEST(InFlightTest, UsesEveryIdAlthoughOthersWereLeftBehind) {
  InFlight<int> waiting;
  for (int i = 1; i <= 65'535; ++i) waiting.Add(i);
  for (int id = 1; id <= 65'535; ++id) {
    if (id % 5 != 0) waiting.Remove(static_cast<PacketId>(id));
  }
  const std::size_t free = 65'535 - waiting.size();
  for (std::size_t i = 0; i < free; ++i) {
    const auto id = waiting.Add(0);
    ASSERT_TRUE(id.has_value());
    ASSERT_NE(*id % 5, 0) << "an identifier in use was given again";
  }
  EXPECT_EQ(waiting.Add(0), std::nullopt);
}

TEST(InFlightTest, VisitsInTheOrderOfAddAcrossTheWrap) {
  InFlight<int> waiting;
  for (int i = 0; i < 65'534; ++i) {
    const auto id = waiting.Add(i);
    waiting.Remove(*id);
  }
  for (int i = 0; i < 4; ++i) waiting.Add(i);
  waiting.Remove(65'535);
  std::vector<std::pair<PacketId, int>> seen;
  waiting.ForEach([&](PacketId id, int& item) { seen.emplace_back(id, item); });
  // 65,534 items came and went, so the four are under 65,535, 1, 2 and 3.
  EXPECT_EQ(seen, (std::vector<std::pair<PacketId, int>>{{1, 1}, {2, 2}, {3, 3}}));
}

TEST(InFlightTest, BehavesAsAMapUnderRandomUse) {
  InFlight<int> waiting;
  std::map<PacketId, int> model;
  std::minstd_rand random(7);
  for (int i = 0; i < 200'000; ++i) {
    if (random() % 2 == 0 && model.size() < 50) {
      const auto id = waiting.Add(i);
      ASSERT_TRUE(id.has_value());
      ASSERT_TRUE(model.emplace(*id, i).second) << "an identifier in use was given again";
    } else if (!model.empty()) {
      auto victim = model.begin();
      std::advance(victim, random() % model.size());
      ASSERT_EQ(waiting.Remove(victim->first), victim->second);
      model.erase(victim);
    }
    ASSERT_EQ(waiting.size(), model.size());
  }
}

}  // namespace
}  // namespace mqttrpc::mqtt
