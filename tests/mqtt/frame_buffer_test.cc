#include "frame_buffer.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "mqttrpc/mqtt/status.h"
#include "support/packet_corpus.h"
#include "support/wire_text.h"

namespace mqttrpc::mqtt {
namespace {

using test::Bytes;

struct Taken {
  std::vector<std::string> packets;  // First byte and body.
  absl::Status error;
};

Taken TakeAll(FrameBuffer& buffer) {
  Taken taken;
  for (;;) {
    const auto frame = buffer.Next();
    if (!frame.ok()) {
      taken.error = frame.status();
      return taken;
    }
    if (!frame->has_value()) return taken;
    taken.packets.push_back(static_cast<char>((*frame)->first_byte) + std::string(AsText((*frame)->body)));
  }
}

// Three packets: short, one with a two-byte Remaining Length, empty.
std::string Stream() { return Bytes("40 02 0001 30 C801 0001 'a' 00") + std::string(196, 'x') + Bytes("C0 00"); }

std::vector<std::string> Packets() {
  return {Bytes("40 0001"), Bytes("30 0001 'a' 00") + std::string(196, 'x'), Bytes("C0")};
}

TEST(FrameBufferTest, GivesEveryPacketOfOneRead) {
  FrameBuffer buffer(1000);
  const std::string stream = Stream();
  buffer.Feed(AsBytes(stream));
  EXPECT_EQ(TakeAll(buffer).packets, Packets());
  buffer.Keep();
  EXPECT_EQ(buffer.tail_bytes(), 0u);
}

TEST(FrameBufferTest, PointsIntoWhatItWasFed) {
  FrameBuffer buffer(1000);
  const std::string stream = Stream();
  buffer.Feed(AsBytes(stream));
  const auto frame = buffer.Next();
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_EQ(AsText((*frame)->body).data(), stream.data() + 2);
}

TEST(FrameBufferTest, GivesTheSamePacketsWhereverTheStreamIsCut) {
  const std::string stream = Stream();
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      FrameBuffer buffer(1000);
      std::vector<std::string> packets;
      for (const auto& [begin, end] : {std::pair(std::size_t{0}, first), {first, second}, {second, stream.size()}}) {
        std::string lent = stream.substr(begin, end - begin);
        buffer.Feed(AsBytes(lent));
        for (std::string& each : TakeAll(buffer).packets) packets.push_back(std::move(each));
        buffer.Keep();
        lent.assign(lent.size(), '\xEE');  // The caller's buffer is reused.
      }
      ASSERT_EQ(packets, Packets()) << first << " " << second;
      ASSERT_EQ(buffer.tail_bytes(), 0u);
    }
  }
}

TEST(FrameBufferTest, GivesTheSamePacketsByteByByte) {
  FrameBuffer buffer(1000);
  std::vector<std::string> packets;
  for (const char c : Stream()) {
    buffer.Feed(AsBytes(std::string_view(&c, 1)));
    for (std::string& each : TakeAll(buffer).packets) packets.push_back(std::move(each));
    buffer.Keep();
  }
  EXPECT_EQ(packets, Packets());
}

TEST(FrameBufferTest, FramesStayValidUntilKeep) {
  FrameBuffer buffer(1000);
  const std::string stream = Stream();
  buffer.Feed(AsBytes(std::string_view(stream).substr(0, 3)));
  EXPECT_TRUE(TakeAll(buffer).packets.empty());
  buffer.Keep();
  buffer.Feed(AsBytes(std::string_view(stream).substr(3)));
  std::vector<Frame> frames;
  for (auto frame = buffer.Next(); frame.ok() && frame->has_value(); frame = buffer.Next()) frames.push_back(**frame);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(AsText(frames[0].body), Bytes("0001"));
  EXPECT_EQ(frames[1].body.size(), 200u);
}

// The tail grows while its first packet is already in someone's hands.
TEST(FrameBufferTest, CompletingAKeptPacketMovesNoFrame) {
  FrameBuffer buffer(1000);
  const std::string stream = Stream();
  buffer.Feed(AsBytes(std::string_view(stream).substr(0, 10)));
  buffer.Keep();  // One whole packet and the start of the next.
  buffer.Feed(AsBytes(std::string_view(stream).substr(10)));
  const auto first = buffer.Next();
  ASSERT_TRUE(first.ok() && first->has_value());
  const auto second = buffer.Next();
  ASSERT_TRUE(second.ok() && second->has_value());
  EXPECT_EQ(AsText((*first)->body), Bytes("0001"));
  EXPECT_EQ((*second)->body.data() - (*first)->body.data(), 2 + 3);  // Its body, then the next one's fixed header.
}

// A reader that must stop handling keeps whole packets too.
TEST(FrameBufferTest, KeepsPacketsThatWereNotTaken) {
  FrameBuffer buffer(1000);
  const std::string stream = Stream() + Bytes("D0");
  buffer.Feed(AsBytes(stream));
  ASSERT_TRUE(buffer.Next().ok());
  buffer.Keep();
  EXPECT_EQ(buffer.tail_bytes(), stream.size() - 4);
  EXPECT_EQ(TakeAll(buffer).packets, (std::vector<std::string>{Packets()[1], Packets()[2]}));
  EXPECT_EQ(buffer.tail_bytes(), 1u);
  const std::string rest = Bytes("00 C0 00");
  buffer.Feed(AsBytes(rest));
  EXPECT_EQ(TakeAll(buffer).packets, (std::vector<std::string>{Bytes("D0"), Bytes("C0")}));
  buffer.Keep();
  EXPECT_EQ(buffer.tail_bytes(), 0u);
}

std::string PublishOfBytes(std::size_t payload_bytes) {
  const std::string payload(payload_bytes, 'x');
  Publish publish;
  publish.topic_name = "t";
  publish.payload = payload;
  std::string packet;
  EXPECT_TRUE(EncodePublish(publish, Sender::kClient, packet).ok());
  return packet;
}

TEST(FrameBufferTest, GivesItsMemoryBackWithTheLastPacket) {
  FrameBuffer buffer(10'000'000);
  std::string stream = PublishOfBytes(1'000'000);
  stream += "\x30";  // The next begins.
  for (std::size_t from = 0; from < stream.size(); from += 1000) {
    buffer.Feed(AsBytes(std::string_view(stream).substr(from, 1000)));
    while (buffer.Next()->has_value()) {
    }
    buffer.Keep();
    EXPECT_LE(buffer.memory_bytes(), buffer.tail_bytes() + buffer.tail_bytes() / 2 + 300);
  }
  EXPECT_EQ(buffer.tail_bytes(), 1u);
  EXPECT_LT(buffer.memory_bytes(), 300u);
}

TEST(FrameBufferTest, GivesItsMemoryBackWhenWholePacketsWereKept) {
  FrameBuffer buffer(10'000'000);
  const std::string stream = PublishOfBytes(1'000'000) + PublishOfBytes(10);
  buffer.Feed(AsBytes(stream));
  buffer.Keep();
  EXPECT_GE(buffer.memory_bytes(), 1'000'000u);
  ASSERT_TRUE(buffer.Next()->has_value());
  buffer.Keep();
  EXPECT_LT(buffer.memory_bytes(), 300u);
  ASSERT_TRUE(buffer.Next()->has_value());
  buffer.Keep();
  EXPECT_EQ(buffer.memory_bytes(), 0u);
}

TEST(FrameBufferTest, RefusesATooLargePacketAsSoonAsItsLengthIsKnown) {
  FrameBuffer buffer(100);
  const std::string fits = Bytes("30 62");  // 98 + 2 bytes.
  buffer.Feed(AsBytes(fits));
  EXPECT_TRUE(TakeAll(buffer).error.ok());
  FrameBuffer other(100);
  const std::string header = Bytes("30 63");
  other.Feed(AsBytes(header));
  const absl::Status error = TakeAll(other).error;
  EXPECT_EQ(ReasonCodeOf(error), ReasonCode::kPacketTooLarge);
  EXPECT_EQ(ToStd(error.message()), "Packet too large: packet is 101 bytes; this side takes 100");
  other.Keep();
  EXPECT_EQ(ReasonCodeOf(TakeAll(other).error), ReasonCode::kPacketTooLarge);
}

TEST(FrameBufferTest, TakesANewLimit) {
  FrameBuffer buffer(10);
  buffer.set_maximum_packet_size(1000);
  const std::string stream = Stream();
  buffer.Feed(AsBytes(stream));
  EXPECT_EQ(TakeAll(buffer).packets.size(), 3u);
}

TEST(FrameBufferTest, RefusesABadRemainingLengthHoweverItArrives) {
  for (const char* text : {"C0 80 00", "C0 8080808001", "C0 FFFFFFFF", "C0 80808000"}) {
    for (const bool at_once : {true, false}) {
      const std::string bytes = Bytes(text);
      FrameBuffer buffer(kMaximumVariableByteInteger);
      absl::Status error;
      for (std::size_t i = 0; i < bytes.size() && error.ok(); i += at_once ? bytes.size() : 1) {
        buffer.Feed(AsBytes(std::string_view(bytes).substr(i, at_once ? bytes.size() : 1)));
        error = TakeAll(buffer).error;
        buffer.Keep();
      }
      EXPECT_EQ(ReasonCodeOf(error), ReasonCode::kMalformedPacket) << text;
    }
  }
}

TEST(FrameBufferTest, WaitsForTheEndOfRemainingLength) {
  FrameBuffer buffer(kMaximumVariableByteInteger);
  const std::string bytes = Bytes("30 FFFFFF");
  buffer.Feed(AsBytes(bytes));
  const Taken taken = TakeAll(buffer);
  EXPECT_TRUE(taken.error.ok());
  EXPECT_TRUE(taken.packets.empty());
}

}  // namespace
}  // namespace mqttrpc::mqtt
