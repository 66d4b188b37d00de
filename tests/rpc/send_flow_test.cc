// What one side of a call sends: cut, numbered, kept, sent again.
#include "send_flow.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checksum.h"

namespace mqttrpc {
namespace {

using testing::HasSubstr;

SendFlow Flow(std::size_t room, std::uint64_t limit, bool reliable = true) {
  SendFlow flow(reliable);
  flow.set_room(room);
  flow.Grant(limit);
  return flow;
}

std::vector<FragmentOut> TakeAll(SendFlow& flow) {
  std::vector<FragmentOut> all;
  while (flow.HasFragment()) all.push_back(flow.Take());
  return all;
}

std::vector<std::uint64_t> SequencesOf(const std::vector<FragmentOut>& fragments) {
  std::vector<std::uint64_t> all;
  for (const FragmentOut& each : fragments) all.push_back(each.sequence);
  return all;
}

using Sequences = std::vector<std::uint64_t>;

TEST(SendFlowTest, SmallMessagesGoOneToAFrameInOrder) {
  SendFlow flow = Flow(10, 16);
  flow.Write("a");
  flow.Write("");
  flow.Write("0123456789");
  const auto sent = TakeAll(flow);
  EXPECT_EQ(SequencesOf(sent), (Sequences{0, 1, 2}));
  EXPECT_EQ(sent[0].payload(), "a");
  EXPECT_EQ(sent[1].payload(), "");
  EXPECT_EQ(sent[2].payload(), "0123456789");
  for (const FragmentOut& each : sent) {
    EXPECT_FALSE(each.more || each.end || each.length.has_value() || each.checksum.has_value());
  }
}

TEST(SendFlowTest, ALargeMessageSaysItsLengthFirstAndItsChecksumLast) {
  SendFlow flow = Flow(4, 16);
  flow.Write("abcdefghij");
  const auto sent = TakeAll(flow);
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(std::string(sent[0].payload()) + std::string(sent[1].payload()) + std::string(sent[2].payload()),
            "abcdefghij");
  EXPECT_EQ(sent[0].length, 10u);
  EXPECT_EQ(sent[1].length, std::nullopt);
  EXPECT_EQ(sent[2].length, std::nullopt);
  EXPECT_EQ(sent[0].checksum, std::nullopt);
  EXPECT_EQ(sent[1].checksum, std::nullopt);
  EXPECT_EQ(sent[2].checksum, Crc32c("abcdefghij"));
  EXPECT_TRUE(sent[0].more && sent[1].more);
  EXPECT_FALSE(sent[2].more);
}

TEST(SendFlowTest, TheLimitIsKept) {
  SendFlow flow = Flow(10, 2);
  for (int i = 0; i < 5; ++i) flow.Write("x");
  EXPECT_EQ(TakeAll(flow).size(), 2u);
  EXPECT_EQ(flow.messages_cut(), 2u);
  EXPECT_TRUE(flow.blocked());
  flow.Grant(3);
  EXPECT_EQ(TakeAll(flow).size(), 1u);
  flow.Grant(1);  // An older one that came late.
  EXPECT_FALSE(flow.HasFragment());
  flow.Grant(100);
  EXPECT_EQ(TakeAll(flow).size(), 2u);
  EXPECT_FALSE(flow.blocked());
}

TEST(SendFlowTest, NothingGoesWithoutALimit) {
  SendFlow flow(true);
  flow.set_room(10);
  flow.Write("x");
  EXPECT_FALSE(flow.HasFragment());
  EXPECT_TRUE(flow.blocked());
}

// Whoever waits for the end has room for it.
TEST(SendFlowTest, TheEndIsNotCountedByTheLimit) {
  SendFlow flow = Flow(10, 1);
  flow.Write("x");
  flow.End();
  const auto sent = TakeAll(flow);
  EXPECT_EQ(SequencesOf(sent), (Sequences{0, 1}));
  EXPECT_TRUE(sent[1].end);
  EXPECT_EQ(sent[1].payload(), "");
  EXPECT_TRUE(flow.ended());
}

TEST(SendFlowTest, TheEndWaitsForWhatStandsBeforeIt) {
  SendFlow flow = Flow(10, 1);
  flow.Write("x");
  flow.Write("y");
  flow.End();
  flow.End();
  EXPECT_EQ(TakeAll(flow).size(), 1u);
  EXPECT_FALSE(flow.ended());
  flow.Grant(2);
  EXPECT_EQ(SequencesOf(TakeAll(flow)), (Sequences{1, 2}));
}

TEST(SendFlowTest, ALastMessageTravelsInTheEnd) {
  SendFlow flow = Flow(4, 16);
  flow.EndWith("abcdef");
  const auto sent = TakeAll(flow);
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_FALSE(sent[0].end);
  EXPECT_EQ(sent[0].length, 6u);
  EXPECT_TRUE(sent[1].end);
  EXPECT_EQ(sent[1].payload(), "ef");
  EXPECT_EQ(sent[1].checksum, Crc32c("abcdef"));
}

TEST(SendFlowTest, ASmallLastMessageIsTheEndAlone) {
  SendFlow flow = Flow(10, 0);
  flow.EndWith("abc");
  const auto sent = TakeAll(flow);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].end);
  EXPECT_EQ(sent[0].payload(), "abc");
}

TEST(SendFlowTest, ANewRoomIsForFramesThatAreNotCutYet) {
  SendFlow flow = Flow(2, 1);
  flow.Write("abcdefgh");
  flow.set_room(4);
  flow.Grant(16);
  const auto sent = TakeAll(flow);
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].payload(), "ab");
  EXPECT_EQ(sent[1].payload(), "cdef");
  EXPECT_EQ(sent[2].payload(), "gh");
}

TEST(SendFlowTest, WhatIsNotAcknowledgedIsSentAgainAfterALostSession) {
  SendFlow flow = Flow(10, 16);
  for (const char* text : {"a", "b", "c", "d"}) flow.Write(text);
  TakeAll(flow);
  ASSERT_TRUE(flow.Acknowledge(2, 18).ok());
  flow.Rewind();
  const auto again = TakeAll(flow);
  EXPECT_EQ(SequencesOf(again), (Sequences{2, 3}));
  EXPECT_EQ(again[0].payload(), "c");
  EXPECT_EQ(flow.frames_sent(), 4u);
}

TEST(SendFlowTest, AFragmentIsTheSameWhenItIsSentAgain) {
  SendFlow flow = Flow(4, 16);
  flow.Write("abcdefghij");
  const auto first = TakeAll(flow);
  flow.Rewind();
  const auto again = TakeAll(flow);
  ASSERT_EQ(again.size(), first.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(again[i].payload(), first[i].payload());
    EXPECT_EQ(again[i].length, first[i].length);
    EXPECT_EQ(again[i].checksum, first[i].checksum);
  }
}

TEST(SendFlowTest, AnAcknowledgementBehindARewindGoesOnFromThere) {
  SendFlow flow = Flow(10, 16);
  for (int i = 0; i < 4; ++i) flow.Write("x");
  TakeAll(flow);
  flow.Rewind();
  flow.Take();
  ASSERT_TRUE(flow.Acknowledge(3, 19).ok());
  EXPECT_EQ(SequencesOf(TakeAll(flow)), (Sequences{3}));
}

TEST(SendFlowTest, MemoryIsGivenBackWithTheAcknowledgement) {
  SendFlow flow = Flow(4, 16);
  flow.Write("abcdefghij");
  flow.Write("k");
  flow.End();
  EXPECT_EQ(flow.bytes(), 11u);
  TakeAll(flow);
  EXPECT_EQ(flow.bytes(), 11u);
  ASSERT_TRUE(flow.Acknowledge(1, 17).ok());
  EXPECT_EQ(flow.bytes(), 7u);
  EXPECT_FALSE(flow.acknowledged());
  ASSERT_TRUE(flow.Acknowledge(5, 21).ok());
  EXPECT_EQ(flow.bytes(), 0u);
  EXPECT_TRUE(flow.acknowledged());
}

TEST(SendFlowTest, AnOldWindowThatComesLateChangesNothing) {
  SendFlow flow = Flow(10, 4);
  for (int i = 0; i < 10; ++i) flow.Write("x");
  TakeAll(flow);
  ASSERT_TRUE(flow.Acknowledge(3, 7).ok());
  ASSERT_TRUE(flow.Acknowledge(0, 4).ok());
  ASSERT_TRUE(flow.Acknowledge(3, 7).ok());
  EXPECT_EQ(SequencesOf(TakeAll(flow)), (Sequences{4, 5, 6}));
}

TEST(SendFlowTest, AWindowForWhatWasNeverSentIsRefused) {
  SendFlow flow = Flow(10, 16);
  flow.Write("x");
  TakeAll(flow);
  const absl::Status status = flow.Acknowledge(2, 18);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("acknowledges frame 2; 1 were sent"));
}

TEST(SendFlowTest, AWindowThatShrinksIsRefused) {
  SendFlow flow = Flow(10, 16);
  for (int i = 0; i < 8; ++i) flow.Write("x");
  TakeAll(flow);
  ASSERT_TRUE(flow.Acknowledge(2, 18).ok());
  EXPECT_EQ(flow.Acknowledge(3, 17).code(), absl::StatusCode::kInternal);
  // In the other order too: the older one can only have granted less.
  EXPECT_EQ(flow.Acknowledge(1, 19).code(), absl::StatusCode::kInternal);
}

TEST(SendFlowTest, ALimitBelowItsOwnNextFrameIsRefused) {
  SendFlow flow = Flow(10, 16);
  for (int i = 0; i < 8; ++i) flow.Write("x");
  TakeAll(flow);
  EXPECT_EQ(flow.Acknowledge(4, 3).code(), absl::StatusCode::kInternal);
}

// `w:next` with all that went, the end too.
TEST(SendFlowTest, TheFinalWindowConfirmsTheEnd) {
  SendFlow flow = Flow(10, 1);
  flow.Write("x");
  flow.End();
  TakeAll(flow);
  ASSERT_TRUE(flow.Acknowledge(1, 2).ok());
  EXPECT_FALSE(flow.acknowledged());
  ASSERT_TRUE(flow.Acknowledge(2, 2).ok());
  EXPECT_TRUE(flow.acknowledged());
}

TEST(SendFlowTest, WhatFollowsFromAnotherWordIsConfirmedToo) {
  SendFlow flow = Flow(10, 1);
  flow.Confirm(1);  // Nothing was sent: nothing to confirm.
  flow.Write("x");
  TakeAll(flow);
  flow.Confirm(1);
  EXPECT_TRUE(flow.acknowledged());
  EXPECT_EQ(flow.bytes(), 0u);
}

TEST(SendFlowTest, AnUnreliableFlowKeepsNothingButItsEnd) {
  SendFlow flow = Flow(10, 16, false);
  for (int i = 0; i < 5; ++i) flow.Write("x");
  flow.End();
  TakeAll(flow);
  EXPECT_EQ(flow.bytes(), 0u);
  EXPECT_FALSE(flow.acknowledged());
  flow.Rewind();
  const auto again = TakeAll(flow);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].end);
  ASSERT_TRUE(flow.Acknowledge(6, 22).ok());
  EXPECT_TRUE(flow.acknowledged());
}

TEST(SendFlowTest, AMessageIsCutWhenItsLastByteIs) {
  SendFlow flow = Flow(2, 1);
  flow.Write("abcd");
  EXPECT_EQ(flow.messages_cut(), 0u);
  flow.Grant(2);
  EXPECT_EQ(flow.messages_cut(), 1u);
}

// A peer that grants all there is must not make us keep all that there is: no more than
// any of our own sides may grant, StreamLimits::frames.
TEST(SendFlowTest, AHugeLimitDoesNotMakeItKeepWithoutEnd) {
  SendFlow flow = Flow(10, std::uint64_t{1} << 53);
  for (int i = 0; i < 70'000; ++i) flow.Write("x");
  EXPECT_TRUE(flow.blocked());
  EXPECT_LE(flow.messages_cut(), 65'535u);
}

}  // namespace
}  // namespace mqttrpc
