// What the broker's fuzz target looks for, in a fixed number of steps from a fixed seed.
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/conversation.h"
#include "support/mutation.h"
#include "support/wire_text.h"

namespace mqttrpc::test {
namespace {

TEST(ConversationTest, EachSeedKeepsEveryPromise) {
  for (const std::string& seed : ConversationSeeds()) EXPECT_EQ(JudgeConversation(seed), "") << Hex(seed);
}

TEST(ConversationTest, RandomChangesFindNoBrokenPromise) {
  const std::vector<std::string> seeds = ConversationSeeds();
  std::minstd_rand random(1883);
  for (int i = 0; i < 1'500; ++i) {
    // One in two is of the few that lead far, which stand first.
    std::string talk = seeds[random() % (i % 2 == 0 ? 8 : seeds.size())];
    for (auto changes = 1 + random() % 6; changes > 0; --changes) Mutate(talk, random);
    if (random() % 4 == 0) talk += seeds[random() % seeds.size()];
    ASSERT_EQ(JudgeConversation(talk), "") << "step " << i << ": " << Hex(talk);
  }
}

}  // namespace
}  // namespace mqttrpc::test
