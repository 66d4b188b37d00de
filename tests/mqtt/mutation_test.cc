// What the fuzz target looks for, in a fixed number of steps from a fixed seed.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

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

// One small change, of the kinds that find holes in parsers.
void Mutate(std::string& bytes, std::minstd_rand& random) {
  static constexpr unsigned char kTelling[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, 0xC0, 0xED, '+', '#', '/', 0x26, 0x23};
  const auto below = [&](std::size_t bound) { return random() % std::max<std::size_t>(bound, 1); };
  const std::size_t at = below(bytes.size());
  switch (random() % 6) {
    case 0:
      if (!bytes.empty()) bytes[at] = static_cast<char>(random());
      break;
    case 1:
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
      break;
    case 2: bytes.insert(at, 1, static_cast<char>(kTelling[below(std::size(kTelling))])); break;
    case 3:
      if (!bytes.empty()) bytes.erase(at, 1 + below(4));
      break;
    case 4: bytes.insert(below(bytes.size() + 1), bytes.substr(at, 1 + below(12))); break;
    default:
      if (bytes.size() > 1) bytes[1] = static_cast<char>(bytes[1] + static_cast<char>(below(5)) - 2);
  }
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
    for (auto changes = 1 + random() % 4; changes > 0; --changes) Mutate(bytes, random);
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
