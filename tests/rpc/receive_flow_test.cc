// What one side of a call gets: put in order and together again, within limits.
#include "receive_flow.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checksum.h"

namespace mqttrpc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

StreamLimits Limits(std::size_t frames = 16, std::size_t message_bytes = 4096) {
  StreamLimits limits;
  limits.frames = frames;
  limits.frame_bytes = 1024;
  limits.message_bytes = message_bytes;
  return limits;
}

FragmentIn Whole(std::uint64_t sequence, std::string_view payload = "") {
  FragmentIn fragment;
  fragment.sequence = sequence;
  fragment.payload = payload;
  return fragment;
}

FragmentIn First(std::uint64_t sequence, std::string_view payload, std::uint64_t length) {
  FragmentIn fragment = Whole(sequence, payload);
  fragment.more = true;
  fragment.length = length;
  return fragment;
}

FragmentIn Middle(std::uint64_t sequence, std::string_view payload) {
  FragmentIn fragment = Whole(sequence, payload);
  fragment.more = true;
  return fragment;
}

FragmentIn Last(std::uint64_t sequence, std::string_view payload, std::string_view all) {
  FragmentIn fragment = Whole(sequence, payload);
  fragment.checksum = Crc32c(all);
  return fragment;
}

class ReceiveFlowTest : public testing::Test {
 protected:
  void SetUp() override {
    flow_.Grant();
    lossy_.Grant();
  }

  // All whole messages; the first error is one too.
  static std::vector<std::string> TakeAll(ReceiveFlow& flow) {
    std::vector<std::string> all;
    for (;;) {
      auto message = flow.TakeMessage();
      if (!message.ok()) {
        all.push_back(std::string(absl::StatusCodeToString(message.status().code())));
        return all;
      }
      if (!message->has_value()) return all;
      all.push_back(std::move(**message));
    }
  }
  std::vector<std::string> TakeAll() { return TakeAll(flow_); }

  ReceiveFlow flow_{Limits(), true};
  ReceiveFlow lossy_{Limits(), false};
};

// --- Order

TEST_F(ReceiveFlowTest, MessagesComeOutInOrder) {
  ASSERT_TRUE(flow_.Arrived(Whole(0, "a")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(1, "")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(2, "c")).ok());
  EXPECT_EQ(flow_.bytes(), 2u);
  EXPECT_THAT(TakeAll(), ElementsAre("a", "", "c"));
  EXPECT_EQ(flow_.bytes(), 0u);
  EXPECT_EQ(flow_.next(), 3u);
}

TEST_F(ReceiveFlowTest, AGapWaitsForWhatIsMissing) {
  ASSERT_TRUE(flow_.Arrived(Whole(2, "c")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(1, "b")).ok());
  EXPECT_TRUE(flow_.misses());
  EXPECT_EQ(flow_.next(), 0u);
  EXPECT_THAT(TakeAll(), IsEmpty());
  ASSERT_TRUE(flow_.Arrived(Whole(0, "a")).ok());
  EXPECT_FALSE(flow_.misses());
  EXPECT_THAT(TakeAll(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, ADuplicateChangesNothing) {
  ASSERT_TRUE(flow_.Arrived(Whole(0, "a")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(0, "other")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(2, "c")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(2, "other")).ok());
  EXPECT_EQ(flow_.bytes(), 2u);
  ASSERT_TRUE(flow_.Arrived(Whole(1, "b")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(2, "other")).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, APingTellsOfWhatIsMissing) {
  flow_.PeerSent(2);
  EXPECT_TRUE(flow_.misses());
  ASSERT_TRUE(flow_.Arrived(Whole(0)).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(1)).ok());
  EXPECT_FALSE(flow_.misses());
  flow_.PeerSent(1);  // An older one that came late.
  EXPECT_FALSE(flow_.misses());
}

TEST_F(ReceiveFlowTest, APingOfNonsenseIsPassedOver) {
  flow_.PeerSent(std::uint64_t{1} << 53);
  EXPECT_FALSE(flow_.misses());
  lossy_.PeerSent(std::uint64_t{1} << 53);
  EXPECT_EQ(lossy_.lost(), 0u);
}

// --- Limits

TEST_F(ReceiveFlowTest, AFramePastTheLimitIsRefused) {
  EXPECT_EQ(flow_.granted(), 16u);
  EXPECT_TRUE(flow_.Arrived(Whole(15)).ok());
  const absl::Status status = flow_.Arrived(Whole(16));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("frame 16 past its limit, 16"));
}

TEST_F(ReceiveFlowTest, TheLimitMovesWithWhatIsTaken) {
  for (std::uint64_t i = 0; i < 16; ++i) ASSERT_TRUE(flow_.Arrived(Whole(i)).ok());
  EXPECT_EQ(flow_.Grant(), 16u);
  EXPECT_FALSE(flow_.WorthTelling());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(flow_.TakeMessage()->has_value());
  EXPECT_TRUE(flow_.WorthTelling());
  EXPECT_EQ(flow_.Grant(), 24u);
  EXPECT_FALSE(flow_.WorthTelling());
}

TEST_F(ReceiveFlowTest, AFrameOverTheLimitOfBytesIsRefused) {
  ASSERT_TRUE(flow_.Arrived(Whole(0, std::string(2000, 'x'))).ok());  // The peer could not know yet.
  EXPECT_TRUE(flow_.Arrived(Whole(1, std::string(1024, 'x'))).ok());
  EXPECT_EQ(flow_.Arrived(Whole(2, std::string(1025, 'x'))).code(), absl::StatusCode::kInternal);
}

TEST_F(ReceiveFlowTest, AMessageOverTheLimitIsRefusedByItsLength) {
  ASSERT_TRUE(flow_.Arrived(First(0, "x", 4097)).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("RESOURCE_EXHAUSTED"));
  ReceiveFlow other(Limits(), true);
  other.Grant();
  ASSERT_TRUE(other.Arrived(Whole(0, std::string(4097, 'x'))).ok());
  EXPECT_THAT(TakeAll(other), ElementsAre("RESOURCE_EXHAUSTED"));
}

TEST_F(ReceiveFlowTest, AMessageMayBeAsLargeAsTheLimit) {
  const std::string all(4096, 'x');
  ASSERT_TRUE(flow_.Arrived(First(0, std::string(1000, 'x'), 4096)).ok());
  for (std::uint64_t i = 1; i < 4; ++i) ASSERT_TRUE(flow_.Arrived(Middle(i, std::string(1000, 'x'))).ok());
  ASSERT_TRUE(flow_.Arrived(Last(4, std::string(96, 'x'), all)).ok());
  EXPECT_THAT(TakeAll(), ElementsAre(all));
  EXPECT_EQ(flow_.bytes(), 0u);
}

// --- Fragments

TEST_F(ReceiveFlowTest, FragmentsMakeTheirMessage) {
  ASSERT_TRUE(flow_.Arrived(Whole(0, "before")).ok());
  ASSERT_TRUE(flow_.Arrived(First(1, "abc", 7)).ok());
  ASSERT_TRUE(flow_.Arrived(Middle(2, "def")).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("before"));
  EXPECT_EQ(flow_.bytes(), 6u);
  ASSERT_TRUE(flow_.Arrived(Last(3, "g", "abcdefg")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(4, "after")).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("abcdefg", "after"));
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, FragmentsWithoutALengthAreRefused) {
  ASSERT_TRUE(flow_.Arrived(Middle(0, "abc")).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("INTERNAL"));
}

TEST_F(ReceiveFlowTest, AnEmptyFragmentIsRefused) {
  ASSERT_TRUE(flow_.Arrived(First(0, "", 3)).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("INTERNAL"));
}

TEST_F(ReceiveFlowTest, FragmentsOverTheirLengthAreRefused) {
  ASSERT_TRUE(flow_.Arrived(First(0, "abc", 5)).ok());
  ASSERT_TRUE(flow_.Arrived(Middle(1, "def")).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("INTERNAL"));
  flow_.Discard();
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, FragmentsBelowTheirLengthAreRefused) {
  ASSERT_TRUE(flow_.Arrived(First(0, "abc", 7)).ok());
  ASSERT_TRUE(flow_.Arrived(Last(1, "def", "abcdef")).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("INTERNAL"));
  flow_.Discard();
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, AWrongChecksumIsDataLoss) {
  ASSERT_TRUE(flow_.Arrived(First(0, "abc", 6)).ok());
  ASSERT_TRUE(flow_.Arrived(Last(1, "def", "abcdeX")).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("DATA_LOSS"));
  flow_.Discard();
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, AMissingChecksumIsRefused) {
  ASSERT_TRUE(flow_.Arrived(First(0, "abc", 6)).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(1, "def")).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("INTERNAL"));
  flow_.Discard();
  EXPECT_EQ(flow_.bytes(), 0u);
}

// --- The end

TEST_F(ReceiveFlowTest, TheEndComesAfterTheMessages) {
  ASSERT_TRUE(flow_.Arrived(Whole(0, "a")).ok());
  ASSERT_TRUE(flow_.Ended(Whole(1), false).ok());
  EXPECT_TRUE(flow_.complete());
  EXPECT_FALSE(flow_.over());
  EXPECT_EQ(flow_.next(), 2u);  // Confirms the end too.
  EXPECT_THAT(TakeAll(), ElementsAre("a"));
  EXPECT_TRUE(flow_.over());
}

TEST_F(ReceiveFlowTest, AnEndThatOvertookMessagesWaitsForThem) {
  ASSERT_TRUE(flow_.Ended(Whole(2), false).ok());
  EXPECT_TRUE(flow_.has_end());
  EXPECT_TRUE(flow_.misses());
  EXPECT_FALSE(flow_.complete());
  EXPECT_EQ(flow_.next(), 0u);
  ASSERT_TRUE(flow_.Arrived(Whole(1, "b")).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(0, "a")).ok());
  EXPECT_TRUE(flow_.complete());
  EXPECT_FALSE(flow_.misses());
  EXPECT_THAT(TakeAll(), ElementsAre("a", "b"));
  EXPECT_TRUE(flow_.over());
}

TEST_F(ReceiveFlowTest, AnEmptyStreamIsOverWithItsEnd) {
  ASSERT_TRUE(flow_.Ended(Whole(0), false).ok());
  EXPECT_TRUE(flow_.over());
  EXPECT_EQ(flow_.next(), 1u);
}

TEST_F(ReceiveFlowTest, TheEndMayHoldTheMessage) {
  ASSERT_TRUE(flow_.Ended(Whole(0, "reply"), true).ok());
  EXPECT_FALSE(flow_.over());
  EXPECT_EQ(flow_.bytes(), 5u);
  EXPECT_THAT(TakeAll(), ElementsAre("reply"));
  EXPECT_TRUE(flow_.over());
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, TheEndMayHoldTheLastFragment) {
  ASSERT_TRUE(flow_.Arrived(First(0, "abc", 5)).ok());
  ASSERT_TRUE(flow_.Ended(Last(1, "de", "abcde"), true).ok());
  EXPECT_THAT(TakeAll(), ElementsAre("abcde"));
  EXPECT_TRUE(flow_.over());
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, TheSameEndTwiceIsOne) {
  ASSERT_TRUE(flow_.Ended(Whole(0, "reply"), true).ok());
  ASSERT_TRUE(flow_.Ended(Whole(0, "reply"), true).ok());
  EXPECT_EQ(flow_.bytes(), 5u);
  EXPECT_THAT(TakeAll(), ElementsAre("reply"));
  ASSERT_TRUE(flow_.Ended(Whole(0, "reply"), true).ok());
  EXPECT_THAT(TakeAll(), IsEmpty());
}

TEST_F(ReceiveFlowTest, TwoDifferentEndsAreRefused) {
  ASSERT_TRUE(flow_.Ended(Whole(2), false).ok());
  EXPECT_EQ(flow_.Ended(Whole(3), false).code(), absl::StatusCode::kInternal);
}

TEST_F(ReceiveFlowTest, AnEndBeforeWhatCameIsRefused) {
  ASSERT_TRUE(flow_.Arrived(Whole(0)).ok());
  ASSERT_TRUE(flow_.Arrived(Whole(1)).ok());
  EXPECT_EQ(flow_.Ended(Whole(1), false).code(), absl::StatusCode::kInternal);
}

TEST_F(ReceiveFlowTest, AnEndBeforeWhatWaitsBehindAGapIsRefused) {
  ASSERT_TRUE(flow_.Arrived(Whole(5)).ok());
  EXPECT_EQ(flow_.Ended(Whole(3), false).code(), absl::StatusCode::kInternal);
}

TEST_F(ReceiveFlowTest, AnEndMayStandOneBehindTheLimitAndNoFurther) {
  EXPECT_EQ(flow_.Ended(Whole(17), false).code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(flow_.Ended(Whole(16), false).ok());
}

TEST_F(ReceiveFlowTest, AFrameAfterTheEndIsRefused) {
  ASSERT_TRUE(flow_.Arrived(Whole(0)).ok());
  ASSERT_TRUE(flow_.Ended(Whole(1), false).ok());
  const absl::Status status = flow_.Arrived(Whole(2));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("frame 2 after its end, 1"));
}

// Pings count the end as a frame that was sent.
TEST_F(ReceiveFlowTest, NothingIsMissingWhenTheEndHasComeBehindAPing) {
  ASSERT_TRUE(flow_.Arrived(Whole(0)).ok());
  flow_.PeerSent(2);
  EXPECT_TRUE(flow_.misses());
  ASSERT_TRUE(flow_.Ended(Whole(1), false).ok());
  EXPECT_FALSE(flow_.misses());
}

TEST_F(ReceiveFlowTest, NothingIsMissingWhenThePingCameBehindTheEnd) {
  ASSERT_TRUE(flow_.Arrived(Whole(0)).ok());
  ASSERT_TRUE(flow_.Ended(Whole(1), false).ok());
  flow_.PeerSent(2);
  EXPECT_FALSE(flow_.misses());
}

// --- Discard

TEST_F(ReceiveFlowTest, DiscardThrowsAwayWhatIsHereAndWhatComes) {
  ASSERT_TRUE(flow_.Arrived(Whole(0, "a")).ok());
  ASSERT_TRUE(flow_.Arrived(First(1, "abc", 5)).ok());
  ASSERT_TRUE(flow_.TakeMessage()->has_value());
  EXPECT_FALSE(flow_.TakeMessage()->has_value());  // Half a message is put together.
  flow_.Discard();
  EXPECT_EQ(flow_.bytes(), 0u);
  ASSERT_TRUE(flow_.Arrived(Whole(2, "b")).ok());
  EXPECT_EQ(flow_.bytes(), 0u);
  EXPECT_THAT(TakeAll(), IsEmpty());
  EXPECT_EQ(flow_.Grant(), 3u + 16u);  // The other side may go on.
  ASSERT_TRUE(flow_.Ended(Whole(3), false).ok());
  EXPECT_TRUE(flow_.over());
}

TEST_F(ReceiveFlowTest, DiscardThrowsAwayWhatWaitsBehindAGap) {
  ASSERT_TRUE(flow_.Arrived(Whole(3, "abc")).ok());
  flow_.Discard();
  EXPECT_EQ(flow_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, DiscardThrowsAwayAMessageInTheEnd) {
  ASSERT_TRUE(flow_.Ended(Whole(0, "reply"), true).ok());
  flow_.Discard();
  EXPECT_EQ(flow_.bytes(), 0u);
}

// An end that is none of a single reply's has no payload, whatever it carries.
TEST_F(ReceiveFlowTest, WhatAnEndByItselfCarriesIsNotKept) {
  ASSERT_TRUE(flow_.Ended(Whole(0, "stowaway"), false).ok());
  EXPECT_EQ(flow_.bytes(), 0u);
}

// --- Passing through

TEST_F(ReceiveFlowTest, AWholeMessageThatIsWaitedForPassesThrough) {
  EXPECT_EQ(flow_.PassThrough(Whole(0, "a")), "a");
  EXPECT_EQ(flow_.next(), 1u);
  EXPECT_EQ(flow_.bytes(), 0u);
  EXPECT_EQ(flow_.Grant(), 17u);
}

TEST_F(ReceiveFlowTest, NothingElsePassesThrough) {
  EXPECT_EQ(flow_.PassThrough(Whole(1, "b")), std::nullopt);      // A gap.
  EXPECT_EQ(flow_.PassThrough(First(0, "a", 2)), std::nullopt);   // A fragment.
  EXPECT_EQ(flow_.PassThrough(Last(0, "a", "a")), std::nullopt);  // The end of one.
  ASSERT_TRUE(flow_.Arrived(Whole(0, "a")).ok());                 //
  EXPECT_EQ(flow_.PassThrough(Whole(0, "a")), std::nullopt);      // A duplicate.
  EXPECT_EQ(flow_.PassThrough(Whole(1, "b")), std::nullopt);      // Another is before it.
  EXPECT_THAT(TakeAll(), ElementsAre("a"));                       //
  EXPECT_EQ(flow_.PassThrough(Whole(17, "x")), std::nullopt);     // Past the limit.
  const std::string large(1025, 'x');                             //
  EXPECT_EQ(flow_.PassThrough(Whole(1, large)), std::nullopt);    // Too large.
  ASSERT_TRUE(flow_.Ended(Whole(1), false).ok());                 //
  EXPECT_EQ(flow_.PassThrough(Whole(1, "b")), std::nullopt);      // After the end.
}

// --- Flows that may lose

TEST_F(ReceiveFlowTest, LossesAreCountedExactly) {
  ASSERT_TRUE(lossy_.Arrived(Whole(1, "b")).ok());
  EXPECT_EQ(lossy_.lost(), 1u);
  ASSERT_TRUE(lossy_.Arrived(Whole(4, "e")).ok());
  EXPECT_EQ(lossy_.lost(), 3u);
  ASSERT_TRUE(lossy_.Arrived(Whole(3, "late")).ok());  // Passed over already.
  EXPECT_EQ(lossy_.lost(), 3u);
  EXPECT_FALSE(lossy_.misses());
  EXPECT_THAT(TakeAll(lossy_), ElementsAre("b", "e"));
  ASSERT_TRUE(lossy_.Ended(Whole(7), false).ok());
  EXPECT_EQ(lossy_.lost(), 5u);
  EXPECT_TRUE(lossy_.over());
  EXPECT_EQ(lossy_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, ALossMakesRoom) {
  ASSERT_TRUE(lossy_.Arrived(Whole(9)).ok());
  EXPECT_THAT(TakeAll(lossy_), ElementsAre(""));
  EXPECT_EQ(lossy_.Grant(), 10u + 16u);
  lossy_.PeerSent(20);
  EXPECT_EQ(lossy_.lost(), 9u + 10u);
  EXPECT_EQ(lossy_.Grant(), 20u + 16u);
}

TEST_F(ReceiveFlowTest, AMessageThatLostAFragmentIsLostAsAWhole) {
  ASSERT_TRUE(lossy_.Arrived(Whole(0, "a")).ok());
  ASSERT_TRUE(lossy_.Arrived(First(1, "abc", 9)).ok());
  ASSERT_TRUE(lossy_.Arrived(Last(3, "ghi", "abcdefghi")).ok());  // 2 is missing.
  ASSERT_TRUE(lossy_.Arrived(Whole(4, "b")).ok());
  EXPECT_EQ(lossy_.lost(), 3u);
  EXPECT_THAT(TakeAll(lossy_), ElementsAre("a", "b"));
  EXPECT_EQ(lossy_.bytes(), 0u);
}

TEST_F(ReceiveFlowTest, AMessageThatLostItsFirstFragmentIsLostAsAWhole) {
  ASSERT_TRUE(lossy_.Arrived(Middle(1, "def")).ok());
  ASSERT_TRUE(lossy_.Arrived(Last(2, "ghi", "abcdefghi")).ok());
  ASSERT_TRUE(lossy_.Arrived(First(3, "12", 3)).ok());
  ASSERT_TRUE(lossy_.Arrived(Last(4, "3", "123")).ok());
  EXPECT_EQ(lossy_.lost(), 3u);
  EXPECT_THAT(TakeAll(lossy_), ElementsAre("123"));
}

TEST_F(ReceiveFlowTest, AMessageThatLostItsLastFragmentIsLostAsAWhole) {
  ASSERT_TRUE(lossy_.Arrived(First(0, "abc", 9)).ok());
  ASSERT_TRUE(lossy_.Arrived(Middle(1, "def")).ok());
  ASSERT_TRUE(lossy_.Arrived(First(3, "12", 3)).ok());
  ASSERT_TRUE(lossy_.Arrived(Last(4, "3", "123")).ok());
  EXPECT_EQ(lossy_.lost(), 3u);
  EXPECT_THAT(TakeAll(lossy_), ElementsAre("123"));
  EXPECT_EQ(lossy_.bytes(), 0u);
}

// It must not depend on when the reader reads.
TEST_F(ReceiveFlowTest, FragmentsThatWerePutTogetherInVainAreCountedEach) {
  ASSERT_TRUE(lossy_.Arrived(First(0, "abc", 9)).ok());
  ASSERT_TRUE(lossy_.Arrived(Middle(1, "def")).ok());
  EXPECT_THAT(TakeAll(lossy_), IsEmpty());
  EXPECT_EQ(lossy_.bytes(), 6u);
  ASSERT_TRUE(lossy_.Arrived(Whole(3, "next")).ok());
  EXPECT_EQ(lossy_.lost(), 3u);
  EXPECT_THAT(TakeAll(lossy_), ElementsAre("next"));
  EXPECT_EQ(lossy_.bytes(), 0u);
}

// A ping that counts the end overtakes it where a session was lost: the end is sent again.
TEST_F(ReceiveFlowTest, AnEndThatIsSentAgainBehindAPingIsNoLoss) {
  ASSERT_TRUE(lossy_.Arrived(Whole(0, "a")).ok());
  lossy_.PeerSent(2);
  const absl::Status status = lossy_.Ended(Whole(1), false);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(lossy_.lost(), 0u);
}

// --- Memory

TEST_F(ReceiveFlowTest, MemoryIsWhatWaits) {
  std::size_t sum = 0;
  for (std::uint64_t i = 15; i > 0; --i) {
    ASSERT_TRUE(flow_.Arrived(Whole(i, std::string(100, 'x'))).ok());
    sum += 100;
    EXPECT_EQ(flow_.bytes(), sum);
  }
  ASSERT_TRUE(flow_.Arrived(Whole(0, "x")).ok());
  EXPECT_EQ(flow_.bytes(), sum + 1);
  EXPECT_EQ(TakeAll().size(), 16u);
  EXPECT_EQ(flow_.bytes(), 0u);
}

}  // namespace
}  // namespace mqttrpc
