#include "subscription_tree.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

struct Client final : Subscriber {
  explicit Client(std::string name_in) : name(std::move(name_in)) {}
  std::string name;
};

// Writes down whom a Topic Name is for; share groups as "{first,second}".
struct Recorder final : MatchSink {
  void OnSubscription(const Subscription& subscription) override { found.push_back(NameOf(subscription)); }
  void OnShareGroup(ShareGroup& group) override {
    std::vector<std::string> names;
    for (const Subscription* member : group.members()) names.push_back(NameOf(*member));
    std::sort(names.begin(), names.end());
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "{" : ",") + name;
    found.push_back(text + "}");
  }
  static std::string NameOf(const Subscription& subscription) {
    return static_cast<const Client&>(*subscription.subscriber).name;
  }
  std::vector<std::string> found;
};

class SubscriptionTreeTest : public ::testing::Test {
 protected:
  ~SubscriptionTreeTest() override {
    for (Client* client : {&a_, &b_, &c_}) tree_.RemoveAll(*client);
    EXPECT_EQ(tree_.size(), 0u);
    EXPECT_EQ(tree_.node_count(), 0u);  // Nothing is left behind, whatever a test did.
  }

  std::vector<std::string> Match(std::string_view topic_name) {
    Recorder recorder;
    tree_.MatchExact(topic_name, recorder);
    tree_.MatchWildcards(topic_name, recorder);
    return recorder.found;
  }

  bool Subscribe(Client& client, std::string_view filter) { return tree_.Subscribe(client, filter, {}); }

  SubscriptionTree tree_;
  Client a_{"a"}, b_{"b"}, c_{"c"};
};

TEST_F(SubscriptionTreeTest, FindsExactFilters) {
  Subscribe(a_, "x/y");
  Subscribe(b_, "x");
  EXPECT_THAT(Match("x/y"), ElementsAre("a"));
  EXPECT_THAT(Match("x"), ElementsAre("b"));
  EXPECT_THAT(Match("x/"), IsEmpty());
  EXPECT_THAT(Match("X"), IsEmpty());  // MQTT-4.7.3-4
}

TEST_F(SubscriptionTreeTest, FindsWildcards) {
  Subscribe(a_, "x/+");
  Subscribe(b_, "x/#");
  Subscribe(c_, "+/+/z");
  EXPECT_THAT(Match("x"), UnorderedElementsAre("b"));  // 4.7.1.2: the parent level too.
  EXPECT_THAT(Match("x/y"), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(Match("x/"), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(Match("x/y/z"), UnorderedElementsAre("b", "c"));
  EXPECT_THAT(Match("//z"), UnorderedElementsAre("c"));
  EXPECT_THAT(Match("y"), IsEmpty());
}

TEST_F(SubscriptionTreeTest, KeepsDollarTopicsFromLeadingWildcards) {  // MQTT-4.7.2-1
  Subscribe(a_, "#");
  Subscribe(b_, "+/info");
  Subscribe(c_, "$SYS/#");
  EXPECT_THAT(Match("$SYS/info"), ElementsAre("c"));
  EXPECT_THAT(Match("$SYS"), ElementsAre("c"));
  EXPECT_THAT(Match("x/$SYS"), ElementsAre("a"));
}

TEST_F(SubscriptionTreeTest, ReplacesTheOptionsOfAnEqualFilter) {  // MQTT-3.8.4-3
  EXPECT_TRUE(Subscribe(a_, "x"));
  EXPECT_FALSE(Subscribe(a_, "x"));
  EXPECT_TRUE(Subscribe(a_, "$share/g/x"));  // Another filter.
  EXPECT_EQ(tree_.size(), 2u);
  EXPECT_EQ(a_.subscription_count(), 2u);
  EXPECT_THAT(Match("x"), UnorderedElementsAre("a", "{a}"));
}

TEST_F(SubscriptionTreeTest, GathersShareGroupsByNameAndFilter) {  // MQTT 4.8.2
  Subscribe(a_, "$share/one/x/+");
  Subscribe(b_, "$share/one/x/+");
  Subscribe(c_, "$share/two/x/+");
  Subscribe(c_, "$share/one/x/y");
  EXPECT_THAT(Match("x/y"), UnorderedElementsAre("{a,b}", "{c}", "{c}"));
  tree_.RemoveAll(a_);
  EXPECT_THAT(Match("x/z"), UnorderedElementsAre("{b}", "{c}"));
}

TEST_F(SubscriptionTreeTest, RemovesOnlyTheEqualFilter) {  // MQTT-3.10.4-1
  Subscribe(a_, "x/+");
  EXPECT_FALSE(tree_.Unsubscribe(a_, "x/y"));
  EXPECT_FALSE(tree_.Unsubscribe(b_, "x/+"));
  EXPECT_TRUE(tree_.Unsubscribe(a_, "x/+"));
  EXPECT_FALSE(tree_.Unsubscribe(a_, "x/+"));
}

TEST_F(SubscriptionTreeTest, PrunesEmptyNodes) {
  Subscribe(a_, "x/y/z/+");
  Subscribe(b_, "x/y/+");
  EXPECT_EQ(tree_.node_count(), 5u);
  tree_.RemoveAll(a_);
  EXPECT_EQ(tree_.node_count(), 3u);
  EXPECT_THAT(Match("x/y/z"), ElementsAre("b"));
}

// One more level would be refused before it came here.
TEST_F(SubscriptionTreeTest, TakesTheDeepestFilterThereMayBe) {
  std::string filter = "+";
  std::string topic_name = "x";
  for (std::size_t level = 1; level < mqtt::kMaximumTopicLevels; ++level) {
    filter += "/+";
    topic_name += "/x";
  }
  ASSERT_TRUE(mqtt::CheckTopicFilter(filter).ok());
  Subscribe(a_, filter);
  EXPECT_THAT(Match(topic_name), ElementsAre("a"));
  EXPECT_THAT(Match(topic_name + "/x"), IsEmpty());
}

TEST_F(SubscriptionTreeTest, KnowsASubscribersSharesWhateverItLeaves) {
  const std::vector<std::string> filters = {"$share/1/a", "$share/2/+", "$share/3/a", "$share/4/b"};
  for (const std::string& filter : filters) Subscribe(a_, filter);
  const auto groups = [&] {
    std::vector<ShareGroupId> ids;
    for (const Subscription* share : a_.shares()) ids.push_back(share->group->id());
    return ids;
  };
  EXPECT_THAT(groups(), UnorderedElementsAre(1, 2, 3, 4));
  tree_.Unsubscribe(a_, filters[0]);
  EXPECT_THAT(groups(), UnorderedElementsAre(2, 3, 4));
  tree_.Unsubscribe(a_, filters[3]);
  tree_.Unsubscribe(a_, filters[1]);
  EXPECT_THAT(groups(), ElementsAre(3));
  Subscribe(a_, filters[0]);
  EXPECT_THAT(groups(), UnorderedElementsAre(3, 5));
}

TEST_F(SubscriptionTreeTest, GivesUpBeyondSoManyNodes) {
  for (const char* filter : {"+/+/+", "a/+/+", "a/b/+", "a/b/c"}) Subscribe(a_, filter);
  Recorder recorder;
  const std::size_t all = tree_.MatchWildcards("a/b/c", recorder);
  EXPECT_EQ(recorder.found.size(), 3u);
  EXPECT_GT(all, 3u);
  EXPECT_LT(tree_.MatchWildcards("a/b/c", recorder, 3), all);
}

// A small alphabet, so that much matches.
std::string RandomTopic(std::mt19937& random, bool filter) {
  static constexpr const char* kLevels[] = {"a", "b", "", "$x", "+", "+"};
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  std::string topic;
  const unsigned levels = 1 + below(4);
  for (unsigned i = 0; i < levels; ++i) {
    if (i > 0) topic += '/';
    if (filter && i + 1 == levels && below(4) == 0) {
      topic += '#';
    } else {
      topic += kLevels[below(filter ? 6 : 4)];
    }
  }
  if (topic.empty()) topic = "/";
  return topic;
}

// The tree finds what Matches() says, through random changes.
TEST_F(SubscriptionTreeTest, AgreesWithTheMatchingRules) {
  std::mt19937 random(20250101);
  struct Known {
    std::unique_ptr<Client> client;
    std::vector<std::string> filters;
  };
  std::vector<Known> known;
  for (int i = 0; i < 20; ++i) known.push_back({std::make_unique<Client>(std::to_string(i)), {}});
  for (int step = 0; step < 5'000; ++step) {
    Known& one = known[random() % known.size()];
    const std::string filter = RandomTopic(random, true);
    ASSERT_TRUE(mqtt::CheckTopicFilter(filter).ok()) << filter;
    const auto place = std::find(one.filters.begin(), one.filters.end(), filter);
    switch (random() % 8) {
      case 0:
        tree_.RemoveAll(*one.client);
        one.filters.clear();
        break;
      case 1:
      case 2:
        EXPECT_EQ(tree_.Unsubscribe(*one.client, filter), place != one.filters.end());
        if (place != one.filters.end()) one.filters.erase(place);
        break;
      default:
        EXPECT_EQ(Subscribe(*one.client, filter), place == one.filters.end());
        if (place == one.filters.end()) one.filters.push_back(filter);
    }
    const std::string topic_name = RandomTopic(random, false);
    std::vector<std::string> expected;
    for (const Known& each : known) {
      for (const std::string& each_filter : each.filters) {
        if (mqtt::Matches(each_filter, topic_name)) expected.push_back(each.client->name);
      }
    }
    ASSERT_THAT(Match(topic_name), ::testing::UnorderedElementsAreArray(expected)) << "step " << step << topic_name;
  }
  for (Known& each : known) tree_.RemoveAll(*each.client);
}

}  // namespace
}  // namespace mqttrpc::broker
