#include "names.h"

#include <gtest/gtest.h>

#include "mqttrpc/rpc/metadata.h"
#include "text.h"
#include "topic_levels.h"

namespace mqttrpc {
namespace {

TEST(NamesTest, AnIdIsOneTo64OfItsCharacters) {
  EXPECT_TRUE(IsId("Lamp_4.2-x"));
  EXPECT_TRUE(IsId(std::string(64, 'a')));
  EXPECT_FALSE(IsId(std::string(65, 'a')));
  for (const std::string_view bad : {"", "a/b", "a+b", "#", "a b", "\xC3\xA9", "$x"}) EXPECT_FALSE(IsId(bad)) << bad;
}

TEST(NamesTest, AClientIdThatIsAnIdStandsForItself) { EXPECT_EQ(IdFrom("device-7"), "device-7"); }

TEST(NamesTest, AnyOtherClientIdIsReplacedByItsHash) {
  const std::string id = IdFrom("plant/4");
  EXPECT_TRUE(IsId(id));
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(id, IdFrom("plant/4"));
  EXPECT_NE(id, IdFrom("plant/5"));
  EXPECT_EQ(IdFrom(""), "4oymiquy7qobjgx36tejs35zeqt24qpe");  // SHA-256 of nothing: e3b0c442 98fc1c14...
}

// Else a device of that name would be taken for a group.
TEST(NamesTest, AClientIdThatNamesAGroupIsReplacedToo) {
  for (const std::string_view group : {"_", "_all", "_g.kitchen"}) {
    EXPECT_TRUE(IsGroupTarget(group));
    EXPECT_EQ(IdFrom(group).size(), 32u) << group;
  }
  EXPECT_EQ(IdFrom("_x"), "_x");
}

TEST(NamesTest, ANameSpaceIsRpc1WithAtMostTwoSiteLevels) {
  for (const std::string_view good : {"rpc1", "site/rpc1", "plant/site/rpc1"}) {
    EXPECT_TRUE(CheckNameSpace(good).ok()) << good;
  }
  for (const std::string_view bad :
       {"", "rpc2", "a/b/c/rpc1", "/rpc1", "a//rpc1", "rpc1/", "+/rpc1", "#", "$SYS/rpc1", "xrpc1"}) {
    EXPECT_EQ(CheckNameSpace(bad).code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(TopicLevelsTest, TakesTheLastThreeLevels) {
  const TopicTail tail = LastThreeLevels("a/b/c/d");
  EXPECT_EQ(tail.first, "b");
  EXPECT_EQ(tail.second, "c");
  EXPECT_EQ(tail.third, "d");
  EXPECT_EQ(LastThreeLevels("r/me/1").first, "r");
  EXPECT_EQ(LastThreeLevels("/me/1").first, "");
  for (const std::string_view none : {"", "/", "a", "a/b", "/a"}) EXPECT_EQ(LastThreeLevels(none).third, "") << none;
}

TEST(TopicLevelsTest, FourLevelsAreNeitherMoreNorLessNorEmpty) {
  EXPECT_TRUE(FourLevels("a/b/c/d").has_value());
  for (const std::string_view bad : {"", "a/b/c", "a/b/c/d/e", "a//c/d", "/b/c/d", "a/b/c/", "///"}) {
    EXPECT_FALSE(FourLevels(bad).has_value()) << bad;
  }
}

TEST(TextTest, KnowsWellFormedUtf8) {
  for (const std::string_view good : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << Quoted(good);
  }
  using namespace std::string_view_literals;
  for (const std::string_view bad : {"\0"sv, "\xC0\x80"sv, "\xE0\x80\x80"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv,
                                     "\xF0\x80\x80\x80"sv, "\xC3"sv, "\xFF"sv, "\xE2\x82"sv, "\x80"sv}) {
    EXPECT_FALSE(IsUtf8(bad)) << Quoted(bad);
  }
}

TEST(TextTest, CleanTextIsUtf8AndCutBetweenCharacters) {
  EXPECT_EQ(CleanUtf8("a\xFF"
                      "b",
                      100),
            "a?b");
  EXPECT_EQ(CleanUtf8("ab\xE2\x82\xAC", 4), "ab");
  EXPECT_EQ(CleanUtf8("ab\xE2\x82\xAC", 5), "ab\xE2\x82\xAC");
  EXPECT_EQ(CleanUtf8(std::string_view("a\0b", 3), 100), "a?b");
}

TEST(TextTest, QuotedTextStaysOnOneLine) {
  EXPECT_EQ(Quoted("a\nb\""), "\"a\\nb\\\"\"");
  EXPECT_LT(Quoted(std::string(1000, 'x')).size(), 210u);
}

TEST(TextTest, ANumberIsTheWholeText) {
  EXPECT_EQ(ParseNumber<int>("12"), 12);
  EXPECT_EQ(ParseNumber<int>("-1"), -1);
  for (const std::string_view bad : {"", "x", "1x", " 1", "+1", "99999999999999999999"}) {
    EXPECT_FALSE(ParseNumber<int>(bad).has_value()) << bad;
  }
  EXPECT_FALSE(ParseNumber<unsigned>("-1").has_value());
}

TEST(MetadataTest, KeepsOrderAndRepeats) {
  Metadata metadata;
  metadata.Add("a", "1");
  metadata.Add("b", "2");
  metadata.Add("a", "3");
  EXPECT_EQ(metadata.size(), 3u);
  EXPECT_EQ(metadata.Get("a"), "1");
  EXPECT_EQ(metadata.Get("c"), std::nullopt);
  EXPECT_TRUE(metadata.Check().ok());
}

TEST(MetadataTest, RefusesWhatCannotTravel) {
  const std::string long_text(65'536, 'x');
  const std::pair<std::string, std::string> bad[] = {
      {"", "x"},
      {"rpc-x", "n"},
      {"k\xFF", "x"},
      {"k", "\xFF"},
      {long_text, ""},
      {"k", long_text},
      {"k-bin", std::string(49'152, 'x')},  // 65,536 as base64
  };
  for (const auto& [key, value] : bad) {
    Metadata metadata;
    metadata.Add(key, value);
    EXPECT_EQ(metadata.Check().code(), absl::StatusCode::kInvalidArgument) << key.substr(0, 20);
  }
  Metadata metadata;
  metadata.Add("any-bin", std::string("\xFF\0", 2));
  metadata.Add("k", std::string(65'535, 'x'));
  EXPECT_TRUE(metadata.Check().ok());
}

}  // namespace
}  // namespace mqttrpc
