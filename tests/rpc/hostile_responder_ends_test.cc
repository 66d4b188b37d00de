// How calls end, whatever a responder does.
#include <asio/awaitable.hpp>

#include "hostile_responder.h"

namespace mqttrpc {
namespace {

using test::HostileResponderTest;
using test::ItemOf;
using test::seconds;
using test::UserProperty;
using testing::IsEmpty;

// --- The end

TEST_F(HostileResponderTest, AFrameAfterTheEndEndsTheCall) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("e:2");
  Say("e:2");
  EXPECT_EQ(channel_->calls_under_way(), 2u);
  Say("m:2");
  ExpectInternal(reader, "after its end");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, AnEndThatContradictsWhatCameEndsTheCall) {
  ServeMallory();
  for (const char* end : {"e:0", "e:66"}) {
    Reader reader = BeginCount();
    Say("m:0", Bytes(ItemOf(0)));
    Say(end);
    ExpectInternal(reader, "the peer ended at");
  }
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, WhoIsAtWorkForACallThatIsOverIsToldToStop) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("e:0");
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  inbox_.clear();
  Say("m:0");
  Say("q:1");
  Say("e:0");
  EXPECT_THAT(inbox_, IsEmpty());
  Say("a:16", "", {{"rpc-to", "rpc1/u/dev-9/me"}});
  Say("w:0:16!");
  EXPECT_EQ(FramesHeard(), (std::vector<std::string>{"c", "c"}));
  EXPECT_EQ(inbox_[0].topic_name, "rpc1/u/dev-9/me");
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, NobodyIsToldToStopWhereverAFrameSays) {
  ServeMallory();
  Reader reader = BeginCount();
  Say("e:0");
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  Spy();
  for (const char* from : {"", "+", "#", "a/b", "$SYS", "dev-9/me/x"}) Say("a:16", "", {{"rpc-to", "home/lamp"}}, from);
  EXPECT_THAT(Seen("rpc1/u/"), IsEmpty());
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, ASilentResponderIsNoticed) {
  ServeMallory();
  Reader reader = BeginCount();
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_LE(world_.elapsed() - begin, seconds(30));
  EXPECT_EQ(inbox_.back().topic_name, "rpc1/u/dev-9/me");
  EXPECT_EQ(UserProperty(inbox_.back(), "rpc-f"), "c");
  ExpectNothingLeftBeside();
}

// --- Good peers in odd moments

// Finish() throws away what was not read, and waits for the status only.
TEST_F(HostileResponderTest, WhatNobodyReadsDoesNotHoldUpTheEnd) {
  ServeMallory();
  Range range;
  range.set_end(1'000);
  Reader reader = stub_->Count(range);
  Run();
  const auto begin = world_.elapsed();
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
  ExpectNothingLeftBeside();
}

// Its messages may be lost; its opening frame, its end and its reply may not.
TEST_F(HostileResponderTest, AStreamThatMayLoseMessagesOpensAndEndsReliably) {
  ServeMallory();
  const auto lossy = [](const mqttrpc::testing::RecordedPacket& packet) {
    return packet.kind == mqttrpc::testing::PacketKind::kPublish && packet.qos == mqtt::QoS::kAtMostOnce;
  };
  world_.faults().FromAll().Every().If(lossy).Drop();
  world_.faults().ToAll().Every().If(lossy).Drop();
  Range range;
  range.set_end(5);
  Reader reader = stub_->CountLossy(range);
  const absl::Status status = world_.Run(reader.Finish(), seconds(60));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(reader.lost(), 5u);
  auto writer = stub_->SumLossy();
  for (int i = 0; i < 5; ++i) writer.Write(ItemOf(i), [](bool) {});
  const auto total = world_.Run(writer.Finish(), seconds(60));
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ(total->count(), 0);
  ExpectNothingLeftBeside();
}

// What no frame holds is an error of the call, as it is of a plain answer.
TEST_F(HostileResponderTest, AnErrorThatNoPacketHoldsStillEndsTheStream) {
  streams_.count = [this](ServerContext&, const Range&, ServerWriter<Item>&) -> asio::awaitable<absl::Status> {
    ++streams_.begun, ++streams_.ended;
    absl::Status status = absl::NotFoundError("gone");
    AddDetail(status, ItemOf(0, 2'000'000));
    co_return status;
  };
  ServeMallory();
  Reader reader = stub_->Count(Range());
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(OutcomeOf(status), Outcome::kExecuted);
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, ReplyMetadataThatNoPacketHoldsIsAnErrorOfTheCall) {
  service_.plain = [](ServerContext& context, const test::Question&) -> absl::StatusOr<test::Reply> {
    for (int i = 0; i < 20; ++i) context.reply_metadata().Add("k", std::string(60'000, 'x'));
    return test::Reply();
  };
  ServeMallory();
  const auto begin = world_.elapsed();
  const test::Result result = Call(test::Ask("x"));
  EXPECT_TRUE(world_.Until([&] { return result->has_value(); }));
  ExpectError(result, absl::StatusCode::kResourceExhausted, Outcome::kExecuted, true, "in one packet");
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
  ExpectNothingLeftBeside();
}

TEST_F(HostileResponderTest, MetadataOfTheFirstMessageThatNoPacketHoldsIsAnErrorOfTheStream) {
  streams_.count = [this](ServerContext& context, const Range&,
                          ServerWriter<Item>& writer) -> asio::awaitable<absl::Status> {
    ++streams_.begun;
    for (int i = 0; i < 20; ++i) context.reply_metadata().Add("k", std::string(60'000, 'x'));
    const Item item = ItemOf(0);
    co_await writer.Write(item);
    co_await writer.Write(item);
    ++streams_.ended;
    co_return absl::OkStatus();
  };
  ServeMallory();
  Reader reader = stub_->Count(Range());
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
  ExpectNothingLeftBeside();
}

}  // namespace
}  // namespace mqttrpc
