// Streams and long calls whose other side, connection, session or messages are lost.
#include "stream_fixture.h"

namespace mqttrpc {
namespace {

using test::ItemOf;
using test::milliseconds;
using test::seconds;
using test::StreamTest;
using test::streams::Item;
using testing::HasSubstr;

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

TEST_F(StreamTest, WhatAFullQueueOfTheClientDidNotTakeIsSentAgain) {
  mqtt::ClientOptions client;
  client.maximum_queued_bytes = 150'000;
  device_ = &world_.NewClient("dev-1", client);
  ServeStreams();
  OpenStub();
  world_.faults().From("dev-1").Freeze();
  auto reader = stub_->Count(RangeOf(60, 30'000));
  world_.Advance(seconds(5));
  EXPECT_GT(device_->statistics().dropped_queue_full, 0u);
  world_.faults().From("dev-1").Thaw();
  const Read read = world_.Run(ReadToTheEnd(std::move(reader)));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.count, 60);
  ExpectNothingLeft();
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

// A unary call that the device accepts and works at until the test answers it.
class LongCallTest : public StreamTest {
 protected:
  LongCallTest() {
    service_.raw = [this](ServerCall call) { open_.emplace(std::move(call)); };
  }
  test::Result CallFor(std::chrono::milliseconds timeout) {
    CallOptions options;
    options.timeout = timeout;
    test::Result result = Call(test::Ask("hi"), options);
    Run();
    return result;
  }
  void Answer() {
    test::Reply reply;
    reply.set_text("late");
    open_->Finish(absl::OkStatus(), &reply);
    Run();
  }

  std::optional<ServerCall> open_;
};

TEST_F(LongCallTest, ALongCallOutlastsManyPingsAndItsEndIsHeard) {
  ServeAndOpen();
  const test::Result result = CallFor(std::chrono::minutes(10));
  world_.Advance(std::chrono::minutes(5));
  ASSERT_FALSE(result->has_value());
  Answer();
  ExpectOk(result, "late");
}

// The caller has no reason to say anything before it was told that the device is at work.
TEST_F(LongCallTest, ALongCallMayPingMoreOftenThanItWaitsForTheAccept) {
  Serve();
  ChannelOptions channel;
  channel.ping_interval = seconds(1);
  Open(channel);
  const test::Result result = CallFor(std::chrono::minutes(1));
  world_.Advance(seconds(40));
  Answer();
  ExpectOk(result, "late");
}

TEST_F(LongCallTest, ALongCallToADeadDeviceIsUnavailableLongBeforeTheDeadline) {
  ServeAndOpen();
  const test::Result result = CallFor(std::chrono::minutes(10));
  world_.Advance(seconds(20));
  world_.faults().From("dev-1").Freeze();
  world_.Advance(seconds(31));
  ExpectError(result, absl::StatusCode::kUnavailable, Outcome::kPerhaps, false);
}

}  // namespace
}  // namespace mqttrpc
