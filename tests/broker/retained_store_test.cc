#include "retained_store.h"

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::broker {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Outcome = RetainedStore::Outcome;

class RetainedStoreTest : public ::testing::Test {
 protected:
  ~RetainedStoreTest() override {
    store_ = nullptr;
    EXPECT_EQ(budget_.used(), 0u);  // It holds no message any more.
  }

  void Limit(std::size_t messages, std::size_t bytes) {
    store_ = std::make_unique<RetainedStore>(RetainedStore::Limits(messages, bytes));
  }
  RetainedStore& store() { return *store_; }

  // Without an expiry if that is 0.
  MessageRef MessageOf(std::string_view topic_name, std::string_view payload, std::uint32_t expiry = 0) {
    mqtt::Properties properties;
    if (expiry != 0) properties.Set(mqtt::property::kMessageExpiryInterval, expiry);
    mqtt::Publish publish;
    publish.payload = payload;
    publish.retain = true;
    publish.properties = properties;
    return SharedMessage::Copy(budget_, publish, topic_name, now_);
  }
  Outcome Set(std::string_view topic_name, std::string_view payload, std::uint32_t expiry = 0) {
    return store().Set(MessageOf(topic_name, payload, expiry));
  }

  // "topic_name=payload" of each, as visited.
  std::vector<std::string> Match(std::string_view topic_filter) {
    std::vector<std::string> found;
    RetainedStore::Cursor cursor;
    looked_at_ = store().Match(topic_filter, now_, cursor, 1'000'000, [&](const MessageRef& message) {
      std::string& each = found.emplace_back(message->topic_name());
      each.append("=").append(message->payload());
      return true;
    });
    EXPECT_TRUE(cursor.done);
    return found;
  }
  std::size_t looked_at() const { return looked_at_; }  // By the last Match().

  MemoryBudget budget_{1'000'000'000};
  mqtt::TimePoint now_{seconds(1000)};

 private:
  std::unique_ptr<RetainedStore> store_ =
      std::make_unique<RetainedStore>(RetainedStore::Limits(1'000'000, 1'000'000'000));
  std::size_t looked_at_ = 0;
};

TEST_F(RetainedStoreTest, KeepsTheLastOfEachTopic) {  // MQTT-3.3.1-5
  EXPECT_EQ(Set("a", "1"), Outcome::kStored);
  EXPECT_EQ(Set("b", "2"), Outcome::kStored);
  const std::size_t bytes = store().bytes();
  EXPECT_EQ(Set("a", "3"), Outcome::kStored);
  EXPECT_EQ(store().size(), 2u);
  EXPECT_EQ(store().bytes(), bytes);
  EXPECT_THAT(Match("#"), ElementsAre("a=3", "b=2"));
}

TEST_F(RetainedStoreTest, ForgetsATopicByAnEmptyPayload) {  // MQTT-3.3.1-6, MQTT-3.3.1-7
  EXPECT_EQ(Set("a", ""), Outcome::kRemoved);
  EXPECT_EQ(Set("a", "1", 60), Outcome::kStored);
  EXPECT_EQ(Set("a", "", 60), Outcome::kRemoved);
  EXPECT_EQ(Set("a", ""), Outcome::kRemoved);
  EXPECT_EQ(store().size(), 0u);
  EXPECT_EQ(store().bytes(), 0u);
  EXPECT_EQ(store().next_expiry(), mqtt::kNever);
  EXPECT_THAT(Match("#"), IsEmpty());
}

TEST_F(RetainedStoreTest, ShowsNothingThatHasExpired) {  // MQTT-3.3.2-5
  Set("later", "x", 60);
  Set("never", "x");
  Set("soon", "x", 10);
  EXPECT_EQ(store().next_expiry(), now_ + seconds(10));
  now_ += seconds(10);
  EXPECT_THAT(Match("#"), ElementsAre("later=x", "never=x"));
  EXPECT_THAT(Match("soon"), IsEmpty());
  EXPECT_EQ(store().size(), 3u);
  store().RemoveExpired(now_, 1'000);
  EXPECT_EQ(store().size(), 2u);
  EXPECT_EQ(store().next_expiry(), now_ + seconds(50));
  now_ += seconds(1'000'000);
  store().RemoveExpired(now_, 1'000);
  EXPECT_EQ(store().next_expiry(), mqtt::kNever);
  EXPECT_THAT(Match("#"), ElementsAre("never=x"));
}

TEST_F(RetainedStoreTest, TakesTheExpiryOfTheLastMessage) {
  Set("a", "1", 10);
  Set("a", "2", 20);
  EXPECT_EQ(store().next_expiry(), now_ + seconds(20));
  Set("a", "3");
  EXPECT_EQ(store().next_expiry(), mqtt::kNever);
  now_ += seconds(30);
  store().RemoveExpired(now_, 1'000);
  EXPECT_THAT(Match("a"), ElementsAre("a=3"));
}

TEST_F(RetainedStoreTest, HidesDollarTopicsFromLeadingWildcards) {  // MQTT-4.7.2-1
  Set("$own/a", "x");
  Set("own/a", "x");
  Set("own/$a", "x");
  EXPECT_THAT(Match("#"), ElementsAre("own/$a=x", "own/a=x"));
  EXPECT_THAT(Match("+/a"), ElementsAre("own/a=x"));
  EXPECT_THAT(Match("$own/#"), ElementsAre("$own/a=x"));
  EXPECT_THAT(Match("$own/+"), ElementsAre("$own/a=x"));
  EXPECT_THAT(Match("$own/a"), ElementsAre("$own/a=x"));
}

TEST_F(RetainedStoreTest, ShowsTheParentOfAMultiLevelWildcard) {  // 4.7.1.2
  for (const char* topic_name : {"a", "a/", "a/b", "a/b/c", "a b", "aa", "b"}) Set(topic_name, "x");
  EXPECT_THAT(Match("a/#"), ElementsAre("a=x", "a/=x", "a/b=x", "a/b/c=x"));
  EXPECT_THAT(Match("a/+"), ElementsAre("a/=x", "a/b=x"));
  EXPECT_THAT(Match("a/+/#"), ElementsAre("a/=x", "a/b=x", "a/b/c=x"));
  EXPECT_THAT(Match("+"), ElementsAre("a=x", "a b=x", "aa=x", "b=x"));
}

TEST_F(RetainedStoreTest, TakesNoMoreMessagesThanItsLimit) {
  Limit(2, 1'000'000);
  EXPECT_EQ(Set("a", "1"), Outcome::kStored);
  EXPECT_EQ(Set("b", "1"), Outcome::kStored);
  EXPECT_EQ(Set("c", "1"), Outcome::kFull);
  EXPECT_EQ(Set("a", "2"), Outcome::kStored);  // In its place.
  EXPECT_EQ(Set("c", ""), Outcome::kRemoved);
  EXPECT_EQ(Set("b", ""), Outcome::kRemoved);
  EXPECT_EQ(Set("c", "1"), Outcome::kStored);
  EXPECT_THAT(Match("#"), ElementsAre("a=2", "c=1"));
}

TEST_F(RetainedStoreTest, TakesNoMoreBytesThanItsLimit) {
  Limit(1'000, 10'000);
  EXPECT_EQ(Set("a", "short"), Outcome::kStored);
  EXPECT_EQ(Set("a", std::string(10'000, 'x')), Outcome::kFull);
  EXPECT_THAT(Match("a"), ElementsAre("a=short"));  // What was there stays.
  EXPECT_EQ(Set("a", std::string(9'000, 'x')), Outcome::kStored);
  EXPECT_EQ(Set("b", std::string(2'000, 'x')), Outcome::kFull);
  EXPECT_LE(store().bytes(), 10'000u);
  EXPECT_EQ(Set("a", "short"), Outcome::kStored);
  EXPECT_EQ(Set("b", std::string(2'000, 'x')), Outcome::kStored);
  // Names and nodes count, not only payloads.
  int stored = 0;
  while (Set(absl::StrCat("many/", stored), "x") == Outcome::kStored) ++stored;
  EXPECT_LT(stored, 100);
}

TEST_F(RetainedStoreTest, LooksOnlyAtWhatBeginsAsTheFilter) {
  for (int i = 0; i < 1'000; ++i) Set(absl::StrCat("a/", i % 10, "/", i), "x");
  EXPECT_THAT(Match("a/3/13"), ElementsAre("a/3/13=x"));
  EXPECT_EQ(looked_at(), 1u);
  EXPECT_EQ(Match("a/3/+").size(), 100u);
  EXPECT_LE(looked_at(), 101u);
}

TEST_F(RetainedStoreTest, LooksOnceAtEachTopicHoweverManyWildcardsThereAre) {
  std::string deep = "a";
  for (int level = 1; level < 100; ++level) deep += "/a";
  for (int i = 0; i < 1'000; ++i) Set(absl::StrCat(deep, "/", i), "x");
  std::string topic_filter = "+";
  for (int level = 1; level < 100; ++level) topic_filter += "/+";
  const std::size_t once = 1 + 1'000 * (1 + (deep.size() + 4) / 32);  // Long topics count more.
  EXPECT_EQ(Match(topic_filter + "/#").size(), 1'000u);
  EXPECT_LE(looked_at(), once);
  EXPECT_THAT(Match(topic_filter + "/b"), IsEmpty());
  EXPECT_LE(looked_at(), once);
}

TEST_F(RetainedStoreTest, IsEmptyAgainAfterTenThousandTopics) {
  for (int i = 0; i < 10'000; ++i) Set(absl::StrCat("topic/", i), "payload", i % 2 == 0 ? 0 : 60);
  EXPECT_EQ(store().size(), 10'000u);
  EXPECT_GT(budget_.used(), 10'000u);
  for (int i = 0; i < 10'000; ++i) Set(absl::StrCat("topic/", i), "");
  EXPECT_EQ(store().size(), 0u);
  EXPECT_EQ(store().bytes(), 0u);
  EXPECT_EQ(budget_.used(), 0u);
  EXPECT_EQ(store().next_expiry(), mqtt::kNever);
}

// A short name of levels that collide often; as a filter perhaps with wildcards.
std::string RandomTopic(std::mt19937& random, bool filter) {
  static constexpr const char* kLevels[] = {"", "a", "b", "aa", "$a", "a b"};
  const std::size_t levels = 1 + random() % 4;
  std::string topic;
  for (std::size_t i = 0; i < levels; ++i) {
    if (i > 0) topic += '/';
    const auto kind = filter ? random() % 8 : 7;
    if (kind == 0 && i + 1 == levels) return topic + "#";
    topic += kind <= 2 ? "+" : kLevels[random() % std::size(kLevels)];
  }
  return topic.empty() ? "/" : topic;
}

// It finds what Matches() says, through random changes and the time.
TEST_F(RetainedStoreTest, FindsWhatTheRulesOfMatchingSay) {
  std::mt19937 random(20250202);
  std::map<std::string, std::pair<std::string, mqtt::TimePoint>> known;  // Payload and expiry.
  for (int step = 0; step < 5'000; ++step) {
    const std::string topic_name = RandomTopic(random, false);
    const std::string payload = random() % 3 == 0 ? "" : std::to_string(step);
    const auto expiry = static_cast<std::uint32_t>(random() % 3 == 0 ? 1 + random() % 50 : 0);
    Set(topic_name, payload, expiry);
    known.erase(topic_name);
    if (!payload.empty()) known[topic_name] = {payload, expiry == 0 ? mqtt::kNever : now_ + seconds(expiry)};
    if (random() % 10 == 0) now_ += seconds(random() % 10);
    if (random() % 10 == 0) {
      store().RemoveExpired(now_, 1'000);
      std::erase_if(known, [&](const auto& each) { return each.second.second <= now_; });
      ASSERT_EQ(store().size(), known.size());
    }

    const std::string topic_filter = RandomTopic(random, true);
    std::vector<std::string> expected;
    for (const auto& [name, message] : known) {
      if (message.second > now_ && mqtt::Matches(topic_filter, name)) expected.push_back(name + "=" + message.first);
    }
    ASSERT_EQ(Match(topic_filter), expected) << topic_filter;
    ASSERT_LE(looked_at(), store().size() + 1);
  }
}

// In pieces, each as small as can be: what is found is the same.
TEST_F(RetainedStoreTest, GoesOnWhereItStopped) {
  for (const char* topic_name : {"a", "a/b", "a/c", "b", "b/c"}) Set(topic_name, "x");
  RetainedStore::Cursor cursor;
  std::vector<std::string> found;
  for (bool refuse = false; !cursor.done; refuse = !refuse) {
    store().Match("a/#", now_, cursor, 2, [&](const MessageRef& message) {
      if (!refuse) found.emplace_back(message->topic_name());
      return !refuse;
    });
  }
  EXPECT_THAT(found, ElementsAre("a", "a/b", "a/c"));
}

TEST_F(RetainedStoreTest, GoesOnThoughTheStoreChanged) {
  for (const char* topic_name : {"a", "b", "c"}) Set(topic_name, "x");
  RetainedStore::Cursor cursor;
  std::vector<std::string> found;
  const auto visit = [&](const MessageRef& message) {
    found.emplace_back(message->topic_name());
    return true;
  };
  store().Match("#", now_, cursor, 3, visit);
  EXPECT_THAT(found, ElementsAre("a", "b"));
  Set("b", "");  // Where it stands.
  Set("aa", "x");
  Set("bb", "x");
  store().Match("#", now_, cursor, 100, visit);
  EXPECT_THAT(found, ElementsAre("a", "b", "bb", "c"));
  EXPECT_TRUE(cursor.done);
}

}  // namespace
}  // namespace mqttrpc::broker
