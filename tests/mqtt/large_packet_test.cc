// Large packets in a FrameBuffer: read to where they stay.
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frame_buffer.h"
#include "spare_blocks.h"
#include "support/wire_text.h"

namespace mqttrpc::mqtt {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kInFront = 256;

std::string PublishOf(std::string_view payload) {
  Publish publish;
  publish.topic_name = "t";
  publish.payload = payload;
  std::string packet;
  EXPECT_TRUE(EncodePublish(publish, Sender::kClient, packet).ok());
  return packet;
}

std::string Noise(std::size_t bytes, std::uint32_t seed = 1) {
  std::minstd_rand random(seed);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

class LargePacketTest : public ::testing::Test {
 protected:
  LargePacketTest() { buffer_.UseSpares(spares_, kInFront); }

  // As a transport and its handler would: there is nothing whole in it.
  void FeedPart(std::string_view bytes) {
    buffer_.Feed(AsBytes(bytes));
    const auto frame = buffer_.Next();
    ASSERT_TRUE(frame.ok() && !frame->has_value());
    buffer_.Keep();
  }

  // Puts the beginning of `rest` to where the buffer wants it; takes it off.
  std::span<const std::byte> ReadToRoom(std::string_view& rest) {
    std::span<std::byte> room = buffer_.Room();
    room = room.first(std::min(room.size(), rest.size()));
    std::memcpy(room.data(), rest.data(), room.size());
    rest.remove_prefix(room.size());
    return room;
  }

  SpareBlocks spares_{8 * kMiB};
  FrameBuffer buffer_{64 * kMiB};
};

TEST_F(LargePacketTest, AreWholeWhereTheyWereReadTo) {
  const std::string packet = PublishOf(Noise(kMiB));
  std::string_view rest = packet;
  FeedPart(rest.substr(0, 65'536));
  rest.remove_prefix(65'536);
  while (true) {
    ASSERT_FALSE(buffer_.Room().empty());
    buffer_.Feed(ReadToRoom(rest));
    if (rest.size() < 4096) break;
    ASSERT_FALSE(buffer_.Next()->has_value());
    buffer_.Keep();
  }
  if (!rest.empty()) buffer_.Feed(AsBytes(rest));  // A small rest comes with what follows.
  const auto frame = buffer_.Next();
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_EQ(AsText((*frame)->body), std::string_view(packet).substr(4));
}

TEST_F(LargePacketTest, CopyNothingOfWhatWasReadToTheirRoom) {
  const std::string packet = PublishOf(Noise(100'000));
  {
    const Block spare = Block::Of(packet.size() + kInFront, &spares_);
  }
  std::string_view rest = packet;
  FeedPart(rest.substr(0, 50'000));
  rest.remove_prefix(50'000);
  const auto read = ReadToRoom(rest);
  ASSERT_TRUE(rest.empty()) << "there was room for all of it";
  buffer_.Feed(read);
  const auto frame = buffer_.Next();
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_EQ((*frame)->body.data() + (*frame)->body.size(), read.data() + read.size());
}

TEST_F(LargePacketTest, GiveTheirMemoryAway) {
  const std::string packet = PublishOf(Noise(kMiB));
  FeedPart(std::string_view(packet).substr(0, 20'000));
  buffer_.Feed(AsBytes(std::string_view(packet).substr(20'000)));
  const auto frame = buffer_.Next();
  ASSERT_TRUE(frame.ok() && frame->has_value());
  const std::string_view body = AsText((*frame)->body);
  {
    const Block block = buffer_.TakeBlock(body);
    ASSERT_FALSE(block.empty());
    EXPECT_GE(body.data(), block.data() + kInFront);
    EXPECT_LE(body.data() + body.size(), block.data() + block.size());
    EXPECT_EQ(buffer_.memory_bytes(), 0u);
    EXPECT_FALSE(buffer_.Next()->has_value());
    buffer_.Keep();
    EXPECT_EQ(body, std::string_view(packet).substr(4));  // As it was.
  }
  EXPECT_GT(spares_.bytes(), kMiB) << "the next has it";
}

TEST_F(LargePacketTest, KeepTheirMemoryWhileSomethingElseIsInIt) {
  const std::string packet = PublishOf(Noise(kMiB));
  const std::string stream = packet + PublishOf("x");
  FeedPart(std::string_view(stream).substr(0, 20'000));
  buffer_.Feed(AsBytes(std::string_view(stream).substr(20'000)));
  buffer_.Keep();  // It was not their turn.
  const auto frame = buffer_.Next();
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_TRUE(buffer_.TakeBlock(AsText((*frame)->body)).empty());
  ASSERT_TRUE(buffer_.Next()->has_value());
}

TEST_F(LargePacketTest, WhatIsNotLargeHasNoRoomAndNoMemoryToGive) {
  const std::string packet = PublishOf(Noise(10'000));
  FeedPart(std::string_view(packet).substr(0, 9'000));
  EXPECT_TRUE(buffer_.Room().empty());
  buffer_.Feed(AsBytes(std::string_view(packet).substr(9'000)));
  const auto frame = buffer_.Next();
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_TRUE(buffer_.TakeBlock(AsText((*frame)->body)).empty());
}

// Whoever claims a large packet gets memory for what has come of it.
TEST_F(LargePacketTest, GrowWithWhatHasArrived) {
  buffer_.set_maximum_packet_size(kMaximumVariableByteInteger);
  const std::string header = test::Bytes("30 FFFFFF3F");
  FeedPart(header);
  EXPECT_LT(buffer_.memory_bytes(), 1000u);
  EXPECT_TRUE(buffer_.Room().empty());
  const std::string piece(1000, 'x');
  for (std::size_t arrived = header.size(); arrived < 4 * kMiB; arrived += piece.size()) {
    std::string_view rest = piece;
    if (buffer_.Room().size() >= rest.size()) {
      buffer_.Feed(ReadToRoom(rest));
      ASSERT_FALSE(buffer_.Next()->has_value());
      buffer_.Keep();
    } else {
      FeedPart(rest);
    }
    ASSERT_LE(buffer_.memory_bytes(), buffer_.tail_bytes() + buffer_.tail_bytes() / 2 + 300 + kInFront);
  }
  buffer_.Clear();
  EXPECT_EQ(buffer_.memory_bytes(), 0u);
}

TEST_F(LargePacketTest, TakeSpareMemoryOnlyWhenSomeOfThemHasArrived) {
  const std::string packet = PublishOf(Noise(kMiB));
  {
    const Block spare = Block::Of(packet.size() + kInFront, &spares_);
  }
  FeedPart(std::string_view(packet).substr(0, 1000));
  EXPECT_LT(buffer_.memory_bytes(), 2000u);
  FeedPart(std::string_view(packet).substr(1000, 20'000));
  EXPECT_GE(buffer_.memory_bytes(), kMiB);
  EXPECT_EQ(spares_.bytes(), 0u);
  EXPECT_EQ(buffer_.Room().size(), packet.size() - 21'000);
}

// Packets of all sizes in a stream that is cut anywhere, read to their room or not.
TEST_F(LargePacketTest, GiveTheSamePacketsHoweverTheyAreRead) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    std::minstd_rand random(seed);
    std::vector<std::string> packets;
    std::string stream;
    for (int i = 0; i < 6; ++i) {
      packets.push_back(PublishOf(Noise(random() % 3 == 0 ? random() % 300'000 : random() % 2'000, seed)));
      stream += packets.back();
    }
    std::vector<std::string> taken;
    std::vector<std::pair<Block, std::string_view>> given_away;
    for (std::string_view rest = stream; !rest.empty();) {
      std::string lent;
      if (random() % 3 != 0 && !buffer_.Room().empty()) {
        buffer_.Feed(ReadToRoom(rest));
      } else {
        lent = rest.substr(0, 1 + random() % 70'000);
        rest.remove_prefix(lent.size());
        buffer_.Feed(AsBytes(lent));
      }
      for (std::uint32_t left = random() % 4; left > 0 || rest.empty(); --left) {
        const auto frame = buffer_.Next();
        ASSERT_TRUE(frame.ok());
        if (!frame->has_value()) break;
        const std::string_view body = AsText((*frame)->body);
        taken.emplace_back(body);
        if (Block block = buffer_.TakeBlock(body); !block.empty()) given_away.emplace_back(std::move(block), body);
      }
      buffer_.Keep();
    }
    ASSERT_EQ(taken.size(), packets.size()) << seed;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      ASSERT_TRUE(packets[i].ends_with(taken[i]) && packets[i].size() <= taken[i].size() + 5) << seed;
    }
    ASSERT_EQ(buffer_.memory_bytes(), 0u);
  }
}

}  // namespace
}  // namespace mqttrpc::mqtt
