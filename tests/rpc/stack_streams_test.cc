// Streams and large messages through the whole stack: what is written is read, and nobody drowns.
#include <asio/awaitable.hpp>

#include "stack.h"
#include "stream_service.h"

namespace mqttrpc {
namespace {

using test::IsWhole;
using test::ItemOf;
using test::milliseconds;
using test::seconds;
using test::streams::Item;
using test::streams::Range;
using test::streams::StreamsStub;
using test::streams::Total;
using testing::HasSubstr;
using testing::Le;

class StreamTest : public test::StackTest {
 protected:
  // The service goes before the base; its handlers end before.
  ~StreamTest() override {
    channel_.reset();
    server_.reset();
    world_.RunUntilQuiet();
  }

  void ServeStreams(ServerOptions options = ServerOptions()) {
    server_ = std::make_unique<Server>(*device_, options);
    server_->Add(streams_);
    ASSERT_TRUE(world_.Run(server_->Start()).ok());
  }
  void OpenStub(ChannelOptions options = ChannelOptions()) {
    Open(options);
    stub_.emplace(*channel_, "dev-1");
  }
  void ServeAndOpenStub() {
    ServeStreams();
    OpenStub();
  }
  static Range RangeOf(std::int64_t end, std::int64_t data_bytes = 0) {
    Range range;
    range.set_end(end);
    range.set_data_bytes(data_bytes);
    return range;
  }
  // Reads what comes; -1 stands for an item out of order or damaged.
  asio::awaitable<std::int64_t> ReadAll(ClientReader<Item>& reader) {
    std::int64_t count = 0;
    for (;;) {
      const auto item = co_await reader.Read();
      if (!item.has_value()) co_return count;
      if (item->number() != count || !IsWhole(*item)) co_return -1;
      ++count;
    }
  }
  struct Read {
    Read() = default;
    explicit Read(absl::Status status_in) : status(std::move(status_in)) {}
    absl::Status status;
    std::int64_t count = 0;
  };
  asio::awaitable<Read> ReadToTheEnd(ClientReader<Item> reader) {
    const std::int64_t count = co_await ReadAll(reader);
    Read read(co_await reader.Finish());
    read.count = count;
    co_return read;
  }
  void ExpectNothingLeft() {
    Run();
    EXPECT_EQ(server_->running_calls(), 0u);
    EXPECT_EQ(streams_.begun, streams_.ended);
  }

  test::StreamService streams_;
  std::optional<StreamsStub> stub_;
};

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

TEST_F(StreamTest, AQuietStreamLives) {
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  Run();
  world_.Advance(std::chrono::hours(3));
  const auto written = world_.Run<bool>([&](auto done) { stream.Write(ItemOf(1), std::move(done)); });
  EXPECT_TRUE(written);
  const auto back = world_.Run<std::optional<Item>>([&](auto done) { stream.Read(std::move(done)); });
  EXPECT_TRUE(back.has_value());
}

// As a plain handler that waits by kBlocking on a thread of its own: nothing else wakes it.
class CallbackReader final : public Service {
 public:
  const ServiceInfo& info() const override { return test::streams::StreamsService::Info(); }
  void Serve(std::size_t, ServerCall call) override {
    call_.emplace(std::move(call));
    ServerReader<Item>(call_->stream()).Read([this](const std::optional<Item>& item) { ended = !item.has_value(); });
  }

  bool ended = false;

 private:
  std::optional<ServerCall> call_;
};

TEST_F(StreamTest, TheDeadlineEndsAReadThatNoCoroutineAwaits) {
  CallbackReader service;
  server_ = std::make_unique<Server>(*device_);
  server_->Add(service);
  ASSERT_TRUE(world_.Run(server_->Start()).ok());
  OpenStub();
  CallOptions options;
  options.timeout = seconds(30);
  auto mirror = stub_->Mirror(options);
  world_.Advance(seconds(29));
  EXPECT_FALSE(service.ended);
  world_.Advance(seconds(2));
  EXPECT_TRUE(service.ended);
  server_.reset();
}

TEST_F(StreamTest, ADeadResponderIsNoticedLongBeforeTheDeadline) {
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  Run();
  world_.faults().From("dev-1").Freeze();
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(stream.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(OutcomeOf(status), Outcome::kPerhaps);
  EXPECT_LE(world_.elapsed() - begin, seconds(31));
}

TEST_F(StreamTest, ADeadCallerEndsTheHandler) {
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  Run();
  ASSERT_EQ(server_->running_calls(), 1u);
  world_.faults().From("me").Freeze();
  world_.Advance(seconds(31));
  EXPECT_EQ(server_->running_calls(), 0u);
  EXPECT_EQ(streams_.ended, 1);
}

TEST_F(StreamTest, NobodyAcceptsIsUnavailableSoon) {
  OpenStub();
  Plain("dev-1x", "rpc1/q/+/dev-1/+/+");  // Takes the request and says nothing.
  auto stream = stub_->Mirror();
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(stream.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_LE(world_.elapsed() - begin, seconds(6));
}

TEST_F(StreamTest, OneOpenedBeforeTheFirstConnectionIsAsAnyOther) {
  ServeStreams();
  channel_ = std::make_unique<Channel>(MakeClient("late"));
  stub_.emplace(*channel_, "dev-1");
  const Read read = world_.Run(ReadToTheEnd(stub_->Count(RangeOf(1'000))));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.count, 1'000);
  ExpectNothingLeft();
}

TEST_F(StreamTest, AnAcceptThatIsLostIsAskedFor) {
  mqtt::ClientOptions client;
  client.topic_alias_maximum = 0;  // An alias would be lost with it.
  caller_ = &world_.NewClient("me", client);
  ServeStreams();
  ChannelOptions options;
  options.accept_timeout = seconds(4);
  OpenStub(options);
  auto lost = world_.faults()
                  .To("me")
                  .Nth(1, mqttrpc::testing::PacketKind::kPublish)
                  .If([](const mqttrpc::testing::RecordedPacket& packet) {
                    return packet.properties.UserProperty("rpc-f").value_or("").starts_with("a:");
                  })
                  .Drop();
  auto writer = stub_->Sum();
  const auto begin = world_.elapsed();
  const bool written = world_.Run<bool>([&](auto done) { writer.Write(ItemOf(0, 5'000), std::move(done)); });
  EXPECT_TRUE(written);
  EXPECT_EQ(world_.elapsed() - begin, milliseconds(2'500));  // Half of what it has, with the way there and back.
  const auto total = world_.Run<absl::StatusOr<Total>>([&](auto done) { writer.Finish(std::move(done)); });
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ(total->count(), 1);
  EXPECT_EQ(lost.hits(), 1u);
  ExpectNothingLeft();
}

TEST_F(StreamTest, GoesOnAfterACut) {
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(2'000));
  for (int i = 0; i < 2'000; ++i) {
    if (i == 300) world_.faults().Cut("me");
    if (i == 900) world_.faults().Cut("dev-1");
    const auto item = world_.Run<std::optional<Item>>([&](auto done) { reader.Read(std::move(done)); });
    ASSERT_TRUE(item.has_value()) << i;
    ASSERT_EQ(item->number(), i);
  }
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  ExpectNothingLeft();
}

TEST_F(StreamTest, GoesOnAfterTheBrokerForgotEverything) {
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(2'000, 100));
  for (int i = 0; i < 2'000; ++i) {
    if (i == 300 || i == 1'000) RestartBroker();
    const auto item = world_.Run<std::optional<Item>>([&](auto done) { reader.Read(std::move(done)); });
    ASSERT_TRUE(item.has_value()) << i << world_.Run(reader.Finish());
    ASSERT_EQ(item->number(), i);
  }
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  ExpectNothingLeft();
}

TEST_F(StreamTest, AMessageInFragmentsSurvivesALostSession) {
  ServeStreams();
  OpenStub();
  auto call = stub_->Echo(ItemOf(3, 3'000'000), CallOptions(), asio::use_awaitable);
  world_.faults().From("me").Nth(60, mqttrpc::testing::PacketKind::kPublish).CutAfter();
  world_.faults().To("me").Nth(40, mqttrpc::testing::PacketKind::kPublish).CutAfter();
  const auto reply = world_.Run(std::move(call));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(streams_.begun, 1);
}

TEST_F(StreamTest, PastTheGraceBothSidesEnd) {
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(1'000'000));
  Run();
  world_.faults().RefuseFor("me", std::chrono::minutes(10));
  world_.faults().Cut("me");
  const auto begin = world_.elapsed();
  while (world_.Run<std::optional<Item>>([&](auto done) { reader.Read(std::move(done)); }).has_value()) {
  }
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(status.message(), HasSubstr("not connected for 30000 ms"));
  EXPECT_LE(world_.elapsed() - begin, seconds(31));
  world_.Advance(seconds(31));
  ExpectNothingLeft();
}

TEST_F(StreamTest, ARestartedResponderSaysThatItDoesNotKnowTheCall) {
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  Run();
  server_.reset();
  device_ = &MakeClient("dev-1");
  ServeStreams();
  stream.Write(ItemOf(1), [](bool) {});
  const auto begin = world_.elapsed();
  const absl::Status status = world_.Run(stream.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(status.message(), HasSubstr("does not know this call"));
  EXPECT_LE(world_.elapsed() - begin, seconds(1));
}

TEST_F(StreamTest, LostMessagesOfALossyMethodAreCounted) {
  ServeAndOpenStub();
  world_.faults()
      .To("me")
      .Sometimes(0.1)
      .If([](const mqttrpc::testing::RecordedPacket& packet) {
        return packet.kind == mqttrpc::testing::PacketKind::kPublish && packet.qos == mqtt::QoS::kAtMostOnce;
      })
      .Drop();
  auto reader = stub_->CountLossy(RangeOf(1'000));
  std::int64_t count = 0;
  std::int64_t last = -1;
  for (;;) {
    const auto item = world_.Run<std::optional<Item>>([&](auto done) { reader.Read(std::move(done)); });
    if (!item.has_value()) break;
    EXPECT_GT(item->number(), last);
    last = item->number();
    ++count;
  }
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  EXPECT_LT(count, 1'000);
  EXPECT_EQ(count + static_cast<std::int64_t>(reader.lost()), 1'000);
  ExpectNothingLeft();
}

// Its opening frame is sent again, and must still be there.
TEST_F(StreamTest, ALossyStreamMayBeginAtAnotherAttempt) {
  OpenStub();
  CallOptions options;
  options.wait_for_ready = true;
  auto reader = stub_->CountLossy(RangeOf(10), options);
  world_.Advance(seconds(1));
  ServeStreams();
  const Read read = world_.Run(ReadToTheEnd(std::move(reader)));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.count, 10);
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

TEST_F(StreamTest, ALongCallOutlastsManyPingsAndItsEndIsHeard) {
  std::optional<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.emplace(std::move(call)); };
  ServeAndOpen();
  CallOptions options;
  options.timeout = std::chrono::minutes(10);
  const test::Result result = Call(test::Ask("hi"), options);
  Run();
  world_.Advance(std::chrono::minutes(5));
  ASSERT_FALSE(result->has_value());
  test::Reply reply;
  reply.set_text("late");
  open->Finish(absl::OkStatus(), &reply);
  Run();
  ExpectOk(result, "late");
}

// The caller has no reason to say anything before it was told that the device is at work.
TEST_F(StreamTest, ALongCallMayPingMoreOftenThanItWaitsForTheAccept) {
  std::optional<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.emplace(std::move(call)); };
  Serve();
  ChannelOptions channel;
  channel.ping_interval = seconds(1);
  Open(channel);
  CallOptions options;
  options.timeout = std::chrono::minutes(1);
  const test::Result result = Call(test::Ask("hi"), options);
  Run();
  world_.Advance(seconds(40));
  test::Reply reply;
  open->Finish(absl::OkStatus(), &reply);
  Run();
  ExpectOk(result, "");
}

TEST_F(StreamTest, ALongCallToADeadDeviceIsUnavailableLongBeforeTheDeadline) {
  std::optional<ServerCall> open;
  service_.raw = [&](ServerCall call) { open.emplace(std::move(call)); };
  ServeAndOpen();
  CallOptions options;
  options.timeout = std::chrono::minutes(10);
  const test::Result result = Call(test::Ask("hi"), options);
  Run();
  world_.Advance(seconds(20));
  world_.faults().From("dev-1").Freeze();
  world_.Advance(seconds(31));
  ExpectError(result, absl::StatusCode::kUnavailable, Outcome::kPerhaps, false);
}

}  // namespace
}  // namespace mqttrpc
