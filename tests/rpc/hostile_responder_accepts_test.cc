// Who serves a call, and where, as responders say it.
#include "hostile_responder.h"
#include "packet_size.h"

namespace mqttrpc {
namespace {

using test::HostileResponderTest;
using test::ItemOf;
using test::UserProperty;
using testing::AllOf;
using testing::ElementsAre;
using testing::Gt;
using testing::IsEmpty;
using testing::Lt;
using testing::SizeIs;

TEST_F(HostileResponderTest, AForeignTopicForLaterFramesEndsTheCall) {
  ServeMallory();
  for (const char* topic : {"", "rpc1/u/dev-9/you", "rpc1/u/+/me", "rpc1/u/dev-9/#", "$SYS/broker/x", "rpc1/r/dev-9/me",
                            "rpc1/u/dev-1/me", "home/lamp", "rpc1/u/dev-9/me/more", "rpc1/u//me"}) {
    Reader reader = victim_->Count(Range());
    TakeOpening();
    Say("a:16", "", {{"rpc-to", topic}});
    ExpectInternal(reader, "rpc-to");
    EXPECT_EQ(inbox_.back().topic_name, "rpc1/q/mqttrpc.test.streams.Streams/dev-9/-cancel/me");
  }
  ExpectNothingLeftBeside();
}

// Only the instance is taken from it: a bridge may have put levels in front.
TEST_F(HostileResponderTest, ATopicInAnotherNameSpaceIsReadAsOurs) {
  ServeMallory();
  auto stream = victim_->Mirror();
  TakeOpening();
  Say("a:16", "", {{"rpc-to", "elsewhere/rpc1/u/dev-9/me"}});
  stream.Write(ItemOf(0), [](bool) {});
  Run();
  ASSERT_THAT(inbox_, SizeIs(1));
  EXPECT_EQ(inbox_[0].topic_name, "rpc1/u/dev-9/me");
  stream.Cancel();
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AnAcceptThatMovesTheCallElsewhereEndsIt) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("a:16", "", {{"rpc-to", "rpc1/u/dev-8/me"}});
  ExpectInternal(reader, "rpc-to");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, MalformedNumbersOfAnAcceptEndTheCall) {
  ServeMallory();
  for (const char* value : {"", "-1", "many", "1152921504606846976"}) {
    Reader reader = victim_->Count(Range());
    TakeOpening();
    Say("a:16", "", {{"rpc-to", "rpc1/u/dev-9/me"}, {"rpc-mps", value}});
    ExpectInternal(reader, "rpc-mps");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AResponderOfAPoolThatDoesNotSayWhoItIsEndsTheCall) {
  ServeMallory();
  auto stream = pool_->Mirror();
  TakeOpening();
  Say("m:0", Bytes(ItemOf(0)), {}, "");
  ExpectBroken(stream, absl::StatusCode::kInternal, "does not say who it is");
  EXPECT_EQ(inbox_.back().topic_name, "rpc1/q/mqttrpc.test.streams.Streams/_/-cancel/me");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, OfTwoRespondersTheFirstServesAndTheOtherIsToldToStop) {
  ServeMallory();
  auto stream = pool_->Mirror();
  TakeOpening();
  Say("a:16", "", {{"rpc-to", "rpc1/u/dev-9/me"}});
  Say("a:16", "", {{"rpc-to", "rpc1/u/dev-8/me"}}, "dev-8");
  ASSERT_THAT(inbox_, SizeIs(1));
  EXPECT_EQ(inbox_[0].topic_name, "rpc1/u/dev-8/me");
  EXPECT_EQ(UserProperty(inbox_[0], "rpc-f"), "c");
  Say("m:0", Bytes(ItemOf(8)), {}, "dev-8");
  Say("e:0", "", {{"rpc-status", "5"}}, "dev-8");
  Say("m:0", Bytes(ItemOf(9)));
  Say("e:1");
  std::optional<Item> item;
  stream.Read([&](std::optional<Item> read) { item = std::move(read); });
  Run();
  ASSERT_TRUE(item.has_value());
  EXPECT_EQ(item->number(), 9);
  EXPECT_TRUE(world_.Run(stream.Finish()).ok());
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, FramesOfAnotherInstanceAreDropped) {
  ServeMallory();
  Reader reader = BeginCount();
  for (const char* frame : {"m:0", "e:0", "w:9:9", "z", "c"}) Say(frame, "x", {}, "dev-7");
  EXPECT_EQ(channel_->calls_under_way(), 2u);
  Say("m:0", Bytes(ItemOf(0)));
  EXPECT_TRUE(ReadOne(reader).has_value());
  Say("e:1");
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  ExpectNothingLeftBeside();
}

// Nobody has said then how much the responder takes.
TEST_F(HostileResponderTest, UntilTheAcceptIsHeardFramesAreSmallAndItIsAskedForOnce) {
  ServeMallory();
  auto writer = victim_->Sum();
  TakeOpening();
  Say("w:0:16");
  EXPECT_THAT(FramesHeard(), ElementsAre("w:0:64!"));
  inbox_.clear();
  writer.Write(ItemOf(0, 4'000), [](bool) {});
  Run();
  ASSERT_THAT(inbox_, SizeIs(Gt(4u)));
  for (const mqtt::Message& each : inbox_) EXPECT_LE(PacketSize(each), 1'024u);
  inbox_.clear();
  Say("w:1:17");
  EXPECT_THAT(FramesHeard(), IsEmpty());
  Say("a:32", "", {{"rpc-to", "rpc1/u/dev-9/me"}, {"rpc-mps", "16384"}});
  writer.Write(ItemOf(1, 4'000), [](bool) {});
  Run();
  EXPECT_THAT(inbox_, SizeIs(1));
  writer.Cancel();
  ExpectNothingLeftBeside();
}

// Its accept is lost, and its first message tells who serves.
TEST_F(HostileResponderTest, OneThatTalksBeforeItsAcceptIsAskedForItAndCancelledWhereItIs) {
  ServeMallory();
  auto stream = pool_->Mirror();
  TakeOpening();
  Say("m:0", Bytes(ItemOf(0)));
  Say("m:1", Bytes(ItemOf(1)));
  EXPECT_THAT(FramesHeard(), ElementsAre("w:1:64!"));
  stream.Cancel();
  Run();
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-f"), "c");
  EXPECT_EQ(inbox_.back().topic_name, "rpc1/u/dev-9/me");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, OneThatTakesNearlyNothingGetsFramesOfAKibibyte) {
  ServeMallory();
  auto writer = victim_->Sum();
  TakeOpening();
  Say("a:100", "", {{"rpc-to", "rpc1/u/dev-9/me"}, {"rpc-mps", "1"}});
  writer.Write(ItemOf(0, 4'000), [](bool) {});
  Run();
  EXPECT_THAT(inbox_, SizeIs(AllOf(Gt(3u), Lt(8u))));
  for (const mqtt::Message& each : inbox_) EXPECT_LE(PacketSize(each), 1'024u);
  writer.Cancel();
  ExpectNothingLeftBeside();
}

}  // namespace
}  // namespace mqttrpc
