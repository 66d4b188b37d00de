// The grammar of `rpc-f`: docs/protocol.md, "Frames".
#include "frame.h"

#include <gtest/gtest.h>

namespace mqttrpc {
namespace {

using Kind = Frame::Kind;

Frame Open(std::uint64_t limit, bool more = false, bool empty = false) {
  Frame frame(Kind::kOpen, limit);
  frame.more = more;
  frame.empty = empty;
  return frame;
}

Frame Message(std::uint64_t sequence, bool more = false) {
  Frame frame(Kind::kMessage, sequence);
  frame.more = more;
  return frame;
}

Frame Window(std::uint64_t next, std::uint64_t limit, bool again = false) {
  Frame frame(Kind::kWindow, next);
  frame.limit = limit;
  frame.again = again;
  return frame;
}

struct Row {
  Frame frame;
  const char* text;
};

TEST(FrameTest, EveryFrameIsReadAsItWasWritten) {
  const Row rows[] = {
      {Open(0), "o:0"},
      {Open(64), "o:64"},
      {Open(64, true), "o:64+"},
      {Open(64, false, true), "o:64-"},
      {Frame(Kind::kAccept, 16), "a:16"},
      {Message(0), "m:0"},
      {Message(5), "m:5"},
      {Message(5, true), "m:5+"},
      {Frame(Kind::kEnd, 7), "e:7"},
      {Frame(Kind::kCancel), "c"},
      {Window(0, 0), "w:0:0"},
      {Window(3, 67), "w:3:67"},
      {Window(3, 67, true), "w:3:67!"},
      {Frame(Kind::kPing, 9), "p:9"},
      {Frame(Kind::kPong, 0), "q:0"},
      {Frame(Kind::kEnd, kMaximumSequence), "e:9007199254740992"},
      {Window(kMaximumSequence, kMaximumSequence, true), "w:9007199254740992:9007199254740992!"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(row.frame.Text(), row.text);
    const auto parsed = ParseFrame(row.text);
    ASSERT_TRUE(parsed.has_value()) << row.text;
    EXPECT_EQ(*parsed, row.frame) << row.text;
  }
}

TEST(FrameTest, LeadingZerosMeanTheSameNumber) {
  EXPECT_EQ(ParseFrame("m:007"), Message(7));
  EXPECT_EQ(ParseFrame("w:00:0064"), Window(0, 64));
}

TEST(FrameTest, WhatIsNoFrameIsRefused) {
  const std::string_view bad[] = {
      "",
      ":",
      "o",
      "o:",
      "m",
      "m:",
      "e:",
      "a:",
      "p:",
      "q:",
      "w:",
      "w::",
      "w:1",
      "w:1:",
      "w::1",
      "x:1",
      "1",
      "1:2",
      // Signs, spaces, other bases, other digits.
      "m:-1",
      "m:+1",
      "m: 1",
      " m:1",
      "m:1 ",
      "m:0x1",
      "m:1e3",
      "m:1.0",
      "m:1,000",
      "m:\xD9\xA1",
      "w:-1:2",
      "w:1:-2",
      "w:+1:2",
      "w:1: 2",
      // Numbers that are too large: sums must not overflow.
      "m:9007199254740993",
      "e:18446744073709551615",
      "m:18446744073709551616",
      "o:99999999999999999999999999",
      "w:9007199254740993:9007199254740993",
      "w:1:18446744073709551616",
      // Letters and marks where they do not belong.
      "M:1",
      "C",
      "cc",
      "c:",
      "c:1",
      "c+",
      "mm:1",
      "m;1",
      "m1",
      "o1",
      "a:1+",
      "a:1-",
      "a:1!",
      "e:1+",
      "e:1-",
      "p:1+",
      "q:1!",
      "m:1-",
      "m:1!",
      "o:1!",
      "o:+",
      "o:-",
      "m:+",
      "w:!",
      "w:1!:2",
      "w:1:2+",
      "w:1:2-",
      // More behind it.
      "m:1++",
      "o:1+-",
      "o:1-+",
      "o:1--",
      "o:1++",
      "m:1x",
      "m:1+x",
      "w:1:2:3",
      "w:1:2!!",
      "m:1:2",
      "e:1:2",
      "m:1\n",
      "c\n",
  };
  for (const std::string_view text : bad) EXPECT_EQ(ParseFrame(text), std::nullopt) << "'" << text << "'";
  EXPECT_EQ(ParseFrame(std::string_view("m:1\0", 4)), std::nullopt);
  EXPECT_EQ(ParseFrame(std::string_view("c\0", 2)), std::nullopt);
}

TEST(FrameTest, NothingOfALongTextIsTakenForANumber) {
  EXPECT_EQ(ParseFrame("m:" + std::string(60'000, '9')), std::nullopt);
  EXPECT_EQ(ParseFrame(std::string(60'000, 'm')), std::nullopt);
}

TEST(FrameTest, FramesDifferInEachOfTheirParts) {
  EXPECT_NE(Open(1), Open(2));
  EXPECT_NE(Open(1), Open(1, true));
  EXPECT_NE(Open(1), Open(1, false, true));
  EXPECT_NE(Window(1, 2), Window(1, 3));
  EXPECT_NE(Window(1, 2), Window(1, 2, true));
  EXPECT_NE(Frame(Kind::kPing, 1), Frame(Kind::kPong, 1));
}

}  // namespace
}  // namespace mqttrpc
