#include "mqttrpc/mqtt/topic.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

std::string Levels(std::size_t count) {
  std::string topic = "a";
  for (std::size_t i = 1; i < count; ++i) topic += "/a";
  return topic;
}

TEST(TopicNameTest, TakesEveryOtherText) {
  for (const std::string& topic :
       {std::string("a"), std::string("/"), std::string("//"), std::string("a/b/"), std::string("$SYS/x"),
        std::string("a b"), std::string("\xC3\xA4"), std::string(65'535, 'x'), Levels(kMaximumTopicLevels)}) {
    EXPECT_TRUE(CheckTopicName(topic).ok()) << topic.substr(0, 20);
  }
}

TEST(TopicNameTest, RefusesWildcardsAndOthers) {
  for (const std::string& topic :
       {std::string(), std::string("+"), std::string("a/#"), std::string("a+"), std::string("a\0b", 3),
        std::string("\xC3("), std::string(65'536, 'x'), Levels(kMaximumTopicLevels + 1)}) {
    const absl::Status status = CheckTopicName(topic);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << topic.substr(0, 20);
    EXPECT_EQ(ReasonCodeOf(status), ReasonCode::kTopicNameInvalid);
  }
}

TEST(TopicFilterTest, TakesWildcardsThatFillALevel) {  // MQTT-4.7.1-1, MQTT-4.7.1-2
  for (const std::string& filter :
       {std::string("a"), std::string("#"), std::string("+"), std::string("/#"), std::string("/+"), std::string("+/+"),
        std::string("+/#"), std::string("a/+/b/#"), std::string("/"), std::string("+//+"), std::string("$SYS/#"),
        std::string("$share"), std::string("$shared/#"), std::string("$share/g/a"), std::string("$share/g/#"),
        std::string("$share/g//"), std::string("$share/$share/$share/x"), Levels(kMaximumTopicLevels)}) {
    EXPECT_TRUE(CheckTopicFilter(filter).ok()) << filter << ": " << CheckTopicFilter(filter);
  }
}

TEST(TopicFilterTest, RefusesEveryOtherWildcardAndBadShares) {
  for (const std::string& filter : {std::string(),
                                    std::string("a#"),
                                    std::string("#a"),
                                    std::string("#/a"),
                                    std::string("a/#/b"),
                                    std::string("##"),
                                    std::string("a+"),
                                    std::string("+a"),
                                    std::string("a/+b/c"),
                                    std::string("++"),
                                    std::string("+#"),
                                    std::string("#/"),
                                    std::string("a\0", 2),
                                    std::string("\xFF"),
                                    std::string(65'536, 'x'),
                                    std::string("$share/"),
                                    std::string("$share/g"),
                                    std::string("$share/g/"),
                                    std::string("$share//a"),
                                    std::string("$share/g+/a"),
                                    std::string("$share/#/a"),
                                    std::string("$share/g/a#"),
                                    Levels(kMaximumTopicLevels + 1),
                                    "$share/g/" + Levels(kMaximumTopicLevels + 1)}) {
    const absl::Status status = CheckTopicFilter(filter);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << filter.substr(0, 20);
    EXPECT_EQ(ReasonCodeOf(status), ReasonCode::kTopicFilterInvalid);
  }
}

TEST(SharedFilterTest, IsTakenApart) {  // MQTT-4.8.2-1
  const auto shared = ParseSharedFilter("$share/group/a/+/#");
  ASSERT_TRUE(shared.has_value());
  EXPECT_EQ(shared->share_name, "group");
  EXPECT_EQ(shared->topic_filter, "a/+/#");
  EXPECT_EQ(ParseSharedFilter("$share/g//x")->topic_filter, "/x");
  EXPECT_FALSE(ParseSharedFilter("share/g/x").has_value());
  EXPECT_FALSE(ParseSharedFilter("$share").has_value());
  EXPECT_FALSE(ParseSharedFilter("$SHARE/g/x").has_value());
}

TEST(TopicFilterTest, HasWildcardTellsExactFilters) {
  EXPECT_TRUE(HasWildcard("a/+"));
  EXPECT_TRUE(HasWildcard("#"));
  EXPECT_FALSE(HasWildcard("a/b"));
}

struct Match {
  const char* filter;
  const char* name;
  bool matches;
};

// The examples of 4.7.1 and 4.7.2, and the corners between them.
constexpr Match kMatches[] = {
    {"sport/tennis/player1/#", "sport/tennis/player1", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
    {"sport/tennis/player1/#", "sport/tennis/player10", false},
    {"sport/#", "sport", true},
    {"sport/#", "sport/", true},
    {"sport/#", "sports", false},
    {"#", "sport", true},
    {"#", "/", true},
    {"sport/tennis/+", "sport/tennis/player1", true},
    {"sport/tennis/+", "sport/tennis/player1/ranking", false},
    {"sport/+", "sport", false},
    {"sport/+", "sport/", true},
    {"+", "finance", true},
    {"+", "/finance", false},
    {"+/+", "/finance", true},
    {"/+", "/finance", true},
    {"+/tennis/#", "sport/tennis", true},
    {"+/tennis/#", "sport/tennis/x/y", true},
    {"+/#", "a", true},
    {"+/+/#", "a", false},
    {"#", "$SYS/x", false},
    {"+/x", "$SYS/x", false},
    {"+", "$SYS", false},
    {"$SYS/#", "$SYS/x", true},
    {"$SYS/#", "$SYS", true},
    {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
    {"a/+", "a/$b", true},
    {"a", "a", true},
    {"a", "A", false},  // MQTT-4.7.3-4
    {"a", "/a", false},
    {"/a", "a", false},
    {"a/", "a", false},
    {"a", "a/", false},
    {"a/b", "a", false},
    {"a", "a/b", false},
    {"a//b", "a//b", true},
    {"a/+/b", "a//b", true},
    {"a/#", "a//", true},
    {"/", "/", true},
    {"//", "/", false},
    {"+/+/+", "//", true},
    {"a/#", "b/a", false},
    {"", "a", false},
    {"a", "", false},
};

TEST(MatchesTest, FollowsTheSpecification) {
  for (const Match& each : kMatches) {
    EXPECT_EQ(Matches(each.filter, each.name), each.matches) << each.filter << " and " << each.name;
  }
}

}  // namespace
}  // namespace mqttrpc::mqtt
