// Calls with nothing in between: they must behave as they do over MQTT.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/wrappers.pb.h>
#include <asio/thread_pool.hpp>

#include "mqttrpc/rpc/status.h"
#include "mqttrpc/testing/local_link.h"
#include "mqttrpc/testing/world.h"
#include "rpc/echo_service.h"
#include "rpc/stream_service.h"
#include "stream_test.mqttrpc.mock.h"

namespace mqttrpc::testing {
namespace {

using namespace std::chrono_literals;
using test::ItemOf;
using test::StreamService;
using test::streams::Item;
using test::streams::MockStreamsService;
using test::streams::Range;
using test::streams::StreamsStub;
using test::streams::Total;
using ::testing::_;
using ::testing::HasSubstr;
using ::testing::Return;
using ::testing::StrictMock;
using Reply = absl::StatusOr<Item>;
using Writer = ServerWriter<Item>;
using Reader = ServerReader<Item>;
using ReaderWriter = ServerReaderWriter<Item, Item>;

Range RangeOf(std::int64_t end, std::int64_t data_bytes = 0) {
  Range range;
  range.set_end(end);
  range.set_data_bytes(data_bytes);
  return range;
}

CallOptions TimeoutOf(std::chrono::milliseconds timeout) {
  CallOptions options;
  options.timeout = timeout;
  return options;
}

asio::awaitable<std::vector<std::int64_t>> NumbersOf(ClientReader<Item>& reader) {
  std::vector<std::int64_t> numbers;
  for (;;) {
    const auto item = co_await reader.Read();
    if (!item.has_value()) co_return numbers;
    numbers.push_back(item->number());
  }
}

class LocalLinkTest : public ::testing::Test {
 protected:
  LocalLinkTest() { link_.Serve(mock_); }

  StrictMock<MockStreamsService> mock_;  // First: handlers that wait end with the link.
  LocalLink link_;
  StreamsStub stub_{link_.channel(), LocalLink::kServer};
};

TEST_F(LocalLinkTest, CallsAMock) {
  EXPECT_CALL(mock_, Echo(_, _)).WillOnce([](ServerContext& context, const Item& item) -> Reply {
    EXPECT_EQ(context.caller(), "caller");
    EXPECT_EQ(context.instance(), "server");
    EXPECT_EQ(context.method(), "Echo");
    return item;
  });
  const Reply reply = link_.Run(stub_.Echo(ItemOf(7, 100)));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->number(), 7);
  EXPECT_EQ(link_.elapsed(), 0s);
}

TEST_F(LocalLinkTest, AnswersACallback) {
  EXPECT_CALL(mock_, Echo(_, _)).WillOnce(Return(ItemOf(1)));
  const Reply reply = link_.Run<Reply>([&](auto done) { stub_.Echo(Item(), CallOptions(), std::move(done)); });
  EXPECT_TRUE(reply.ok()) << reply.status();
}

// As over MQTT: whoever begins a call is not called back before it returns.
TEST_F(LocalLinkTest, NothingHappensInsideACall) {
  EXPECT_CALL(mock_, Echo(_, _)).Times(0);
  bool ended = false;
  stub_.Echo(Item(), CallOptions(), [&](const Reply&) { ended = true; });
  EXPECT_FALSE(ended);
  ::testing::Mock::VerifyAndClearExpectations(&mock_);
  EXPECT_CALL(mock_, Echo(_, _)).WillOnce(Return(Item()));
  link_.RunUntilQuiet();
  EXPECT_TRUE(ended);
}

TEST_F(LocalLinkTest, AnErrorComesWithItsDetails) {
  EXPECT_CALL(mock_, Echo(_, _)).WillOnce([](ServerContext& context, const Item&) -> Reply {
    context.reply_metadata().Add("hint", "later");
    absl::Status status = absl::FailedPreconditionError("too hot");
    google::protobuf::StringValue why;
    why.set_value("95 degrees");
    AddDetail(status, why);
    return status;
  });
  CallInfo info;
  CallOptions options;
  options.info = &info;
  const Reply reply = link_.Run(stub_.Echo(Item(), options));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(reply.status().message(), "too hot");
  EXPECT_TRUE(IsRemote(reply.status()));
  const auto why = DetailOf<google::protobuf::StringValue>(reply.status());
  ASSERT_TRUE(why.has_value());
  EXPECT_EQ(why->value(), "95 degrees");
  EXPECT_EQ(info.metadata.Get("hint"), "later");
  EXPECT_EQ(info.instance, "server");
}

TEST_F(LocalLinkTest, MetadataGoesWithTheRequest) {
  EXPECT_CALL(mock_, Echo(_, _)).WillOnce([](ServerContext& context, const Item& item) -> Reply {
    EXPECT_EQ(context.metadata().Get("tenant"), "acme");
    return item;
  });
  CallOptions options;
  options.metadata.Add("tenant", "acme");
  EXPECT_TRUE(link_.Run(stub_.Echo(Item(), options)).ok());
}

TEST_F(LocalLinkTest, WritesAStreamThatIsLargerThanItsWindow) {
  EXPECT_CALL(mock_, Count(_, _, _)).WillOnce([](ServerContext&, const Range& range, Writer& writer) {
    for (std::int64_t i = 0; i < range.end(); ++i) EXPECT_TRUE(writer.Write(ItemOf(i), kBlocking));
    return absl::AbortedError("enough");
  });
  auto reader = stub_.Count(RangeOf(200));
  EXPECT_EQ(link_.Run(NumbersOf(reader)).size(), 200u);
  const absl::Status status = link_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "enough");
}

TEST_F(LocalLinkTest, ReadsAStream) {
  EXPECT_CALL(mock_, Sum(_, _)).WillOnce([](ServerContext&, Reader& reader) -> absl::StatusOr<Total> {
    Total total;
    while (const auto item = reader.Read(kBlocking)) total.set_sum(total.sum() + item->number());
    return total;
  });
  auto writer = stub_.Sum();
  for (int i = 1; i <= 100; ++i) EXPECT_TRUE(link_.Run(writer.Write(ItemOf(i))));
  const auto total = link_.Run(writer.Finish());
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ(total->sum(), 5'050);
}

// The handler waits between the test's steps.
TEST_F(LocalLinkTest, TalksBothWays) {
  EXPECT_CALL(mock_, Mirror(_, _)).WillOnce([](ServerContext&, ReaderWriter& stream) {
    while (const auto item = stream.Read(kBlocking)) stream.Write(ItemOf(-item->number()), kBlocking);
    return absl::OkStatus();
  });
  auto mirror = stub_.Mirror();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(link_.Run(mirror.Write(ItemOf(i))));
    const auto item = link_.Run(mirror.Read());
    ASSERT_TRUE(item.has_value());
    EXPECT_EQ(item->number(), -i);
  }
  mirror.WritesDone();
  EXPECT_EQ(link_.Run(mirror.Read()), std::nullopt);
  EXPECT_TRUE(link_.Run(mirror.Finish()).ok());
}

TEST_F(LocalLinkTest, HandlersThatWaitDoNotWaitForEachOther) {
  EXPECT_CALL(mock_, Mirror(_, _)).Times(2).WillRepeatedly([](ServerContext&, ReaderWriter& stream) {
    while (const auto item = stream.Read(kBlocking)) stream.Write(*item, kBlocking);
    return absl::OkStatus();
  });
  auto first = stub_.Mirror();
  auto second = stub_.Mirror();
  for (auto* each : {&first, &second, &first}) {
    ASSERT_TRUE(link_.Run(each->Write(ItemOf(5))));
    EXPECT_TRUE(link_.Run(each->Read()).has_value());
  }
  for (auto* each : {&first, &second}) {
    each->WritesDone();
    EXPECT_TRUE(link_.Run(each->Finish()).ok());
  }
}

TEST_F(LocalLinkTest, ADeadlineComesInVirtualTime) {
  bool cancelled = false;
  EXPECT_CALL(mock_, Mirror(_, _)).WillOnce([&](ServerContext& context, ReaderWriter& stream) {
    EXPECT_FALSE(stream.Read(kBlocking).has_value());
    cancelled = context.cancelled();
    return absl::OkStatus();
  });
  auto mirror = stub_.Mirror(TimeoutOf(2h));
  EXPECT_EQ(link_.Run(mirror.Finish(), 3h).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(link_.elapsed(), 2h);
  link_.RunUntilQuiet();
  EXPECT_TRUE(cancelled);
}

TEST_F(LocalLinkTest, RunSaysWhatIsNotCompleteInTime) {
  EXPECT_CALL(mock_, Mirror(_, _)).WillOnce([](ServerContext&, ReaderWriter& stream) {
    stream.Read(kBlocking);
    return absl::OkStatus();
  });
  auto mirror = stub_.Mirror();
  const absl::Status status = link_.Run(mirror.Finish(), 30s);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("not complete"));
}

TEST_F(LocalLinkTest, CancellingACallTellsItsHandler) {
  bool cancelled = false;
  EXPECT_CALL(mock_, Mirror(_, _)).WillOnce([&](ServerContext& context, ReaderWriter& stream) {
    EXPECT_FALSE(stream.Read(kBlocking).has_value());
    cancelled = context.cancelled();
    return absl::OkStatus();
  });
  auto mirror = stub_.Mirror();
  link_.RunUntilQuiet();
  mirror.Cancel();
  EXPECT_EQ(link_.Run(mirror.Finish()).code(), absl::StatusCode::kCancelled);
  link_.RunUntilQuiet();
  EXPECT_TRUE(cancelled);
}

TEST_F(LocalLinkTest, WhatNobodyServesFailsAtOnce) {
  const StreamsStub nobody(link_.channel(), "elsewhere");
  const Reply reply = link_.Run(nobody.Echo(Item()));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnavailable) << reply.status();
  EXPECT_EQ(OutcomeOf(reply.status()), Outcome::kNotExecuted);
  EXPECT_EQ(link_.elapsed(), 0s);
}

TEST_F(LocalLinkTest, LargeMessagesGoInFragments) {
  EXPECT_CALL(mock_, Echo(_, _)).WillOnce([](ServerContext&, const Item& item) -> Reply { return item; });
  const Item large = ItemOf(1, 1'000'000);
  const Reply reply = link_.Run(stub_.Echo(large));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->data(), large.data());
}

TEST_F(LocalLinkTest, OfAPoolEachMemberHasItsTurn) {
  StrictMock<MockStreamsService> other;
  LocalLink link;
  link.Serve(mock_, "one");
  link.Serve(other, "two");
  EXPECT_CALL(mock_, Echo(_, _)).Times(2).WillRepeatedly(Return(ItemOf(1)));
  EXPECT_CALL(other, Echo(_, _)).Times(2).WillRepeatedly(Return(ItemOf(2)));
  const StreamsStub any(link.channel(), kAnyInstance);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(link.Run(any.Echo(Item())).ok());
}

// Services are real ones too, with coroutines.
TEST(LocalLinkServiceTest, RunsCoroutines) {
  StreamService service;
  LocalLink link;
  link.Serve(service);
  const StreamsStub stub(link.channel(), kAnyInstance);
  auto reader = stub.Count(RangeOf(1'000, 100));
  EXPECT_EQ(link.Run(NumbersOf(reader)).size(), 1'000u);
  EXPECT_TRUE(link.Run(reader.Finish()).ok());
}

// A service that nobody wrote anything for.
TEST(LocalLinkServiceTest, UnimplementedIsSaid) {
  test::streams::StreamsService service;
  LocalLink link;
  link.Serve(service);
  const StreamsStub stub(link.channel(), LocalLink::kServer);
  const Reply reply = link.Run(stub.Echo(Item()));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(OutcomeOf(reply.status()), Outcome::kNotExecuted);
}

TEST(LocalLinkServiceTest, AHandlerMayWaitForAnotherCall) {
  ::testing::NiceMock<MockStreamsService> front, back;
  LocalLink link;
  link.Serve(front, "front");
  link.Serve(back, "back");
  const StreamsStub to_back(link.channel(), "back");
  ON_CALL(front, Echo(_, _)).WillByDefault([&](ServerContext&, const Item& item) {
    return to_back.Echo(item, CallOptions(), kBlocking);
  });
  ON_CALL(back, Echo(_, _)).WillByDefault([](ServerContext&, const Item& item) -> Reply {
    return ItemOf(item.number() + 1);
  });
  const Reply reply = link.Run(StreamsStub(link.channel(), "front").Echo(ItemOf(1)));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->number(), 2);
}

TEST(LocalLinkServiceTest, ServesSeveralServicesAtOneInstance) {
  StreamService streams;
  test::EchoService echo;
  LocalLink link;
  link.Serve(streams);
  link.Serve(echo);
  const StreamsStub stub(link.channel(), LocalLink::kServer);
  EXPECT_TRUE(link.Run(stub.Echo(ItemOf(1))).ok());
  const auto reply = link.Run(link.channel().Call<test::Reply>(test::kEcho, test::kEchoMethods[0], LocalLink::kServer,
                                                               test::Question(), CallOptions(), DefaultToken()));
  EXPECT_TRUE(reply.ok()) << reply.status();
}

TEST(LocalLinkServiceTest, WhatIsUnderWayEndsWithTheLink) {
  StreamService service;
  std::optional<Reply> ended;
  {
    LocalLink link;
    link.Serve(service);
    const StreamsStub stub(link.channel(), LocalLink::kServer);
    auto mirror = stub.Mirror();
    link.RunUntilQuiet();
    stub.Echo(Item(), CallOptions(), [&](Reply reply) { ended = std::move(reply); });
  }
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(service.begun, service.ended);
}

TEST(LocalLinkExecutorTest, RunsOnThreadsInRealTime) {
  asio::thread_pool handlers(2);
  asio::thread_pool pool(2);
  {
    ::testing::NiceMock<MockStreamsService> mock;
    ON_CALL(mock, Count(_, _, _)).WillByDefault([](ServerContext&, const Range& range, Writer& writer) {
      for (std::int64_t i = 0; i < range.end(); ++i) writer.Write(ItemOf(i), kBlocking);
      return absl::OkStatus();
    });
    LocalLinkOptions options;
    options.server.handler_executor = handlers.get_executor();
    LocalLink link(pool.get_executor(), mqtt::Environment(), options);
    link.Serve(mock);
    const StreamsStub stub(link.channel(), LocalLink::kServer);
    auto reader = stub.Count(RangeOf(300));
    std::int64_t count = 0;
    while (reader.Read(kBlocking).has_value()) ++count;
    EXPECT_EQ(count, 300);
    EXPECT_TRUE(reader.Finish(kBlocking).ok());
    EXPECT_EQ(link.Run(stub.Echo(Item())).status().code(), absl::StatusCode::kFailedPrecondition);
    handlers.join();
  }
  pool.join();
}

TEST(LocalLinkExecutorTest, JoinsAWorld) {
  World world;
  StreamService service;
  LocalLink link(world.io().get_executor(), world.environment("link"));
  link.Serve(service);
  const StreamsStub stub(link.channel(), LocalLink::kServer);
  EXPECT_TRUE(world.Run(stub.Echo(ItemOf(1))).ok());
}

}  // namespace
}  // namespace mqttrpc::testing
