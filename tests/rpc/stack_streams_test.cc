// Streams and large messages through the whole stack: what is written is read, and nobody drowns.
#include "stream_fixture.h"

namespace mqttrpc {
namespace {

using test::IsWhole;
using test::ItemOf;
using test::seconds;
using test::StreamTest;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

TEST_F(StreamTest, RepliesComeInOrderAndEndWithTheStatus) {
  ServeAndOpenStub();
  const Read read = world_.Run(ReadToTheEnd(stub_->Count(RangeOf(1'000))));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.count, 1'000);
  ExpectNothingLeft();
}

TEST_F(StreamTest, AnErrorComesBehindTheMessages) {
  streams_.count = [](ServerContext&, const Range&, ServerWriter<Item>& writer) -> asio::awaitable<absl::Status> {
    const Item item = ItemOf(0);
    co_await writer.Write(item);
    co_return absl::NotFoundError("no more");
  };
  ServeAndOpenStub();
  const Read read = world_.Run(ReadToTheEnd(stub_->Count(RangeOf(5))));
  EXPECT_EQ(read.count, 1);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(IsRemote(read.status));
  EXPECT_EQ(OutcomeOf(read.status), Outcome::kExecuted);
}

TEST_F(StreamTest, RequestsGoInOrderAndTheReplyEndsTheCall) {
  ServeAndOpenStub();
  const auto upload = [&]() -> asio::awaitable<absl::StatusOr<Total>> {
    auto writer = stub_->Sum();
    for (int i = 0; i < 500; ++i) {
      const Item item = ItemOf(i, 10);
      const bool written = co_await writer.Write(item);
      if (!written) break;
    }
    co_return co_await writer.Finish();
  };
  const auto total = world_.Run(upload());
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ(total->count(), 500);
  ExpectNothingLeft();
}

TEST_F(StreamTest, BothWaysAtTheSameTime) {
  ServeAndOpenStub();
  const auto talk = [&]() -> asio::awaitable<absl::Status> {
    auto stream = stub_->Mirror();
    for (int i = 0; i < 100; ++i) {
      const Item item = ItemOf(i, 3);
      const bool written = co_await stream.Write(item);
      EXPECT_TRUE(written);
      const auto back = co_await stream.Read();
      EXPECT_TRUE(back.has_value() && back->number() == i);
    }
    stream.WritesDone();
    const auto end = co_await stream.Read();
    EXPECT_FALSE(end.has_value());
    co_return co_await stream.Finish();
  };
  EXPECT_TRUE(world_.Run(talk()).ok());
  ExpectNothingLeft();
}

TEST_F(StreamTest, AnEmptyStreamEndsToo) {
  ServeAndOpenStub();
  const auto talk = [&]() -> asio::awaitable<absl::Status> {
    auto stream = stub_->Mirror();
    stream.WritesDone();
    co_return co_await stream.Finish();
  };
  EXPECT_TRUE(world_.Run(talk()).ok());
  ExpectNothingLeft();
}

// gRPC's RESOURCE_EXHAUSTED by memory never happens: the writer waits instead.
TEST_F(StreamTest, ASlowReaderStopsItsWriter) {
  std::int64_t written = 0;
  streams_.count = [&](ServerContext&, const Range&, ServerWriter<Item>& writer) -> asio::awaitable<absl::Status> {
    for (;; ++written) {
      const Item item = ItemOf(written, 1'000);
      const bool ok = co_await writer.Write(item);
      if (!ok) co_return absl::OkStatus();
    }
  };
  ServeStreams();
  ChannelOptions options;
  options.limits.frames = 16;
  OpenStub(options);
  auto reader = stub_->Count(RangeOf(1'000'000));
  Run();
  EXPECT_EQ(written, 16);
  // Another call does not wait behind it.
  const auto echo = world_.Run(stub_->Echo(ItemOf(7)));
  EXPECT_TRUE(echo.ok()) << echo.status();
  for (int i = 0; i < 100; ++i) {
    const auto item = world_.Run<std::optional<Item>>([&](auto done) { reader.Read(std::move(done)); });
    ASSERT_TRUE(item.has_value());
    EXPECT_EQ(item->number(), i);
    EXPECT_THAT(written, Le(i + 1 + 16));
  }
  reader.Cancel();
  Run();
  EXPECT_EQ(server_->running_calls(), 0u);
}

TEST_F(StreamTest, MessagesOfAnySizePass) {
  ServeAndOpenStub();
  const Read read = world_.Run(ReadToTheEnd(stub_->Count(RangeOf(8, 300'000))));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.count, 8);
}

// Its last fragment comes only when the others have made room.
TEST_F(StreamTest, AMessageOfMoreFramesThanTheWindowComesWithoutWaiting) {
  ServeStreams();
  ChannelOptions options;
  options.limits.frames = 16;
  options.limits.frame_bytes = 1'024;
  OpenStub(options);
  auto reader = stub_->Count(RangeOf(5, 30'000));
  const auto begin = world_.elapsed();
  for (int i = 0; i < 5; ++i) {
    const auto item = world_.Run<std::optional<Item>>([&](auto done) { reader.Read(std::move(done)); });
    ASSERT_TRUE(item.has_value() && IsWhole(*item)) << i;
  }
  EXPECT_EQ(world_.elapsed(), begin);
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  ExpectNothingLeft();
}

// Another one's reader has stopped, and much is kept for it: so little may be on its way here
// that the reader sees no need to say that it came.
TEST_F(StreamTest, WhileMuchIsKeptForOthersAStreamGoesOnSlowly) {
  ServerOptions options;
  options.maximum_waiting_bytes = 1'000'000;
  ServeStreams(options);
  OpenStub();
  auto stopped = stub_->Count(RangeOf(100, 30'000));
  Run();
  const auto begin = world_.elapsed();
  const Read read = world_.Run(ReadToTheEnd(stub_->Count(RangeOf(100, 30'000))));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.count, 100);
  EXPECT_THAT(world_.elapsed() - begin, AllOf(Ge(seconds(1)), Le(seconds(15))));
  const Read rest = world_.Run(ReadToTheEnd(std::move(stopped)));
  EXPECT_TRUE(rest.status.ok()) << rest.status;
  ExpectNothingLeft();
}

TEST_F(StreamTest, AMessageOverTheLimitEndsItsCallOnly) {
  ServeStreams();
  ChannelOptions options;
  options.limits.message_bytes = 100'000;
  OpenStub(options);
  const Read read = world_.Run(ReadToTheEnd(stub_->Count(RangeOf(8, 200'000))));
  EXPECT_EQ(read.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(read.status.message(), HasSubstr("we take 100000"));
  EXPECT_TRUE(world_.Run(stub_->Echo(ItemOf(1))).ok());
  ExpectNothingLeft();
}

TEST_F(StreamTest, CancellingEndsTheHandler) {
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(1'000'000));
  Run();
  reader.Cancel();
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  ExpectNothingLeft();
}

TEST_F(StreamTest, DroppingTheReaderEndsTheHandler) {
  ServeAndOpenStub();
  {
    auto reader = stub_->Count(RangeOf(1'000'000));
    Run();
  }
  ExpectNothingLeft();
}

TEST_F(StreamTest, AStreamThatCannotBeginSaysWhyAndMayBeDropped) {
  ServeAndOpenStub();
  CallOptions options;
  options.timeout = seconds(-1);
  {
    auto dropped = stub_->Mirror(options);
    Run();
  }
  auto stream = stub_->Mirror(options);
  stream.Cancel();
  EXPECT_EQ(world_.Run(stream.Finish()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(streams_.begun, 0);
}

TEST_F(StreamTest, TheDeadlineEndsBothSides) {
  ServeAndOpenStub();
  CallOptions options;
  options.timeout = seconds(3);
  auto stream = stub_->Mirror(options);
  const absl::Status status = world_.Run(stream.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  ExpectNothingLeft();
}

TEST_F(StreamTest, AStreamMayBeginBeforeItsChannelIsConnected) {
  ServeStreams();
  caller_ = &MakeClient("early");
  channel_ = std::make_unique<Channel>(*caller_);
  stub_.emplace(*channel_, "dev-1");
  const Read read = world_.Run(ReadToTheEnd(stub_->Count(RangeOf(1'000))));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.count, 1'000);
}

TEST_F(StreamTest, AStoppingServerLetsItsStreamsEndWell) {
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(1'000));
  Run();
  std::optional<absl::Status> stopped;
  server_->Stop(std::chrono::minutes(10), [&](absl::Status status) { stopped = std::move(status); });
  Run();
  EXPECT_FALSE(stopped.has_value());
  const Read read = world_.Run(ReadToTheEnd(std::move(reader)));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.count, 1'000);
  Run();
  ASSERT_TRUE(stopped.has_value());
  EXPECT_TRUE(stopped->ok()) << *stopped;
}

TEST_F(StreamTest, AStoppingServerSaysWhatItGaveUp) {
  ServeAndOpenStub();
  world_
      .faults()  // It never confirms the end.
      .From("me")
      .Every(mqttrpc::testing::PacketKind::kPublish)
      .If([](const mqttrpc::testing::RecordedPacket& packet) {
        return packet.properties.UserProperty("rpc-f").value_or("").starts_with("w:");
      })
      .Drop();
  auto reader = stub_->Count(RangeOf(3));
  Run();
  EXPECT_EQ(server_->running_calls(), 0u);
  std::optional<absl::Status> stopped;
  server_->Stop(seconds(2), [&](absl::Status status) { stopped = std::move(status); });
  world_.Advance(seconds(4));
  ASSERT_TRUE(stopped.has_value());
  EXPECT_EQ(stopped->code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(stopped->message(), HasSubstr("1 calls had half a request or an end that nobody confirmed"));
}

TEST_F(StreamTest, AnyMemberOfAPoolServesAWholeStream) {
  ServeStreams();
  Open();
  StreamsStub pool(*channel_, kAnyInstance);
  const auto upload = [&]() -> asio::awaitable<absl::StatusOr<Total>> {
    auto writer = pool.Sum();
    for (int i = 0; i < 200; ++i) {
      const Item item = ItemOf(i);
      co_await writer.Write(item);
    }
    co_return co_await writer.Finish();
  };
  const auto total = world_.Run(upload());
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ(total->count(), 200);
}

}  // namespace
}  // namespace mqttrpc
