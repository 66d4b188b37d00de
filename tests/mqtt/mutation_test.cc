// What the fuzz target looks for, in a fixed number of steps from a fixed seed.
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/mutation.h"
#include "support/packet_corpus.h"
#include "support/packet_oracle.h"
#include "support/wire_text.h"

namespace mqttrpc::mqtt {
namespace {

struct Seed {
  Sender sender;
  ProtocolVersion version;
  std::string bytes;
};

std::vector<Seed> Seeds() {
  std::vector<Seed> seeds;
  for (const auto* packets : {&test::ValidPackets(), &test::ValidVersion3Packets()}) {
    for (const auto& each : *packets) seeds.push_back({each.sender, each.version, each.bytes});
  }
  for (const auto* packets : {&test::HandMadeMalformedPackets(), &test::MalformedVersion3Packets()}) {
    for (const auto& each : *packets) seeds.push_back({each.sender, each.version, each.bytes});
  }
  return seeds;
}

TEST(MutationTest, TheCorpusItselfKeepsEveryPromise) {
  for (const auto& [sender, version, bytes] : Seeds()) {
    EXPECT_EQ(test::JudgeStream(bytes, sender, version), "") << test::Hex(bytes);
  }
}

TEST(MutationTest, RandomChangesFindNoBrokenPromise) {
  const auto seeds = Seeds();
  std::minstd_rand random(2024);
  for (int i = 0; i < 30'000; ++i) {
    const auto& [sender, version, seed] = seeds[random() % seeds.size()];
    std::string bytes = seed.substr(0, 600);
    for (auto changes = 1 + random() % 4; changes > 0; --changes) test::Mutate(bytes, random);
    if (random() % 4 == 0) bytes += seeds[random() % seeds.size()].bytes.substr(0, 600);
    const std::string problem = test::JudgeStream(bytes, sender, version);
    ASSERT_EQ(problem, "") << "step " << i << ": " << test::Hex(bytes);
  }
}

TEST(MutationTest, RandomBytesFindNoBrokenPromise) {
  std::minstd_rand random(4202);
  for (int i = 0; i < 30'000; ++i) {
    std::string bytes(random() % 64, '\0');
    for (char& each : bytes) each = static_cast<char>(random() >> 8);
    const auto version = static_cast<ProtocolVersion>(3 + i % 3);
    const Sender sender = i % 2 == 0 ? Sender::kClient : Sender::kServer;
    ASSERT_EQ(test::JudgeStream(bytes, sender, version), "") << test::Hex(bytes);
  }
}

}  // namespace
}  // namespace mqttrpc::mqtt
