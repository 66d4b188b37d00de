// Generated mocks: services whose plain functions a test sets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <asio/system_executor.hpp>

#include "acme/lamp.mqttrpc.mock.h"
#include "golden/streams.mqttrpc.mock.h"
#include "mqttrpc/rpc/context.h"
#include "mqttrpc/rpc/stream.h"

namespace mqttrpc::testing {
namespace {

using acme::lamp::v1::LampService;
using acme::lamp::v1::MockLampService;
using acme::light::v1::Light;
using golden::streams::Event;
using golden::streams::FeedService;
using golden::streams::MockFeedService;
using golden::streams::Query;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::Return;

class FakeContext final : public ServerContext {
 public:
  std::string_view caller() const override { return "caller"; }
  std::string_view service() const override { return "service"; }
  std::string_view method() const override { return "method"; }
  std::string_view instance() const override { return "instance"; }
  const Metadata& metadata() const override { return metadata_; }
  int attempt() const override { return 1; }
  mqtt::TimePoint deadline() const override { return mqtt::kNever; }
  bool cancelled() const override { return false; }
  void OnCancel(absl::AnyInvocable<void()> /*then*/) override {}
  Metadata& reply_metadata() override { return metadata_; }
  asio::any_io_executor executor() const override { return asio::system_executor(); }

 private:
  Metadata metadata_;
};

// Reads what was put in, keeps what is written.
class FakeStream final : public MessageStream {
 public:
  void Read(google::protobuf::Message& message, mqtt::Completion<bool> done) override {
    if (to_read.empty()) return done(false);
    message.ParseFromString(to_read.front());
    to_read.pop_front();
    done(true);
  }
  WrittenMessage Prepare(const google::protobuf::Message& message) override {
    WrittenMessage prepared;
    prepared.payload = message.SerializeAsString();
    return prepared;
  }
  void Write(WrittenMessage message, mqtt::Completion<bool> done) override {
    written.push_back(std::move(message.payload));
    done(true);
  }
  void WritesDone() override {}
  void Finish(mqtt::Completion<absl::Status> done) override { done(absl::OkStatus()); }
  void Cancel() override {}
  std::uint64_t lost() const override { return 0; }

  std::deque<std::string> to_read;
  std::vector<std::string> written;
};

Event EventOf(int number) {
  Event event;
  event.set_number(number);
  return event;
}

// mqttrpc_generate() made these, with MOCKS.
TEST(GeneratedMockTest, AnswersAsTheTestSays) {
  FakeContext context;
  MockLampService mock;
  LampService& lamp = mock;
  Light light;
  light.set_level(40);
  EXPECT_CALL(mock, SetLight(_, _)).WillOnce(Return(light));
  EXPECT_CALL(mock, Break(_, _)).WillOnce(Return(absl::InternalError("broken")));
  const auto set = lamp.SetLight(context, Light());
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->level(), 40);
  EXPECT_EQ(lamp.Break(context, google::protobuf::Empty()).status(), absl::InternalError("broken"));
}

// A server asks it first, and calls the plain function if there is none.
TEST(GeneratedMockTest, HasNoCoroutines) {
  FakeContext context;
  MockFeedService mock;
  const auto stream = std::make_shared<FakeStream>();
  ServerWriter<Event> writer(stream);
  EXPECT_FALSE(mock.CoGet(context, Query()).valid());
  EXPECT_FALSE(mock.CoWatch(context, Query(), writer).valid());
}

TEST(GeneratedMockTest, WritesAStream) {
  FakeContext context;
  MockFeedService mock;
  FeedService& feed = mock;
  EXPECT_CALL(mock, Watch(_, _, _)).WillOnce([](ServerContext&, const Query& query, ServerWriter<Event>& writer) {
    for (int i = 0; i < query.count(); ++i) writer.Write(EventOf(i), mqtt::kBlocking);
    return absl::OkStatus();
  });
  const auto stream = std::make_shared<FakeStream>();
  ServerWriter<Event> writer(stream);
  Query query;
  query.set_count(2);
  EXPECT_EQ(feed.Watch(context, query, writer), absl::OkStatus());
  EXPECT_THAT(stream->written, ElementsAre(EventOf(0).SerializeAsString(), EventOf(1).SerializeAsString()));
}

TEST(GeneratedMockTest, ReadsAStream) {
  FakeContext context;
  MockFeedService mock;
  FeedService& feed = mock;
  EXPECT_CALL(mock, Upload(_, _)).WillOnce([](ServerContext&, ServerReader<Event>& reader) -> absl::StatusOr<Query> {
    Query reply;
    while (const auto event = reader.Read(mqtt::kBlocking)) reply.set_count(reply.count() + event->number());
    return reply;
  });
  const auto stream = std::make_shared<FakeStream>();
  stream->to_read = {EventOf(3).SerializeAsString(), EventOf(4).SerializeAsString()};
  ServerReader<Event> reader(stream);
  const auto reply = feed.Upload(context, reader);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->count(), 7);
}

TEST(GeneratedMockTest, TakesAStreamThatGoesBothWays) {
  FakeContext context;
  MockFeedService mock;
  FeedService& feed = mock;
  EXPECT_CALL(mock, Tail(_, _)).WillOnce([](ServerContext&, ServerReaderWriter<Query, Event>& stream) {
    while (const auto query = stream.Read(mqtt::kBlocking)) stream.Write(EventOf(query->count()), mqtt::kBlocking);
    return absl::AbortedError("enough");
  });
  const auto stream = std::make_shared<FakeStream>();
  Query query;
  query.set_count(5);
  stream->to_read = {query.SerializeAsString()};
  ServerReaderWriter<Query, Event> both(stream);
  EXPECT_EQ(feed.Tail(context, both), absl::AbortedError("enough"));
  EXPECT_THAT(stream->written, ElementsAre(EventOf(5).SerializeAsString()));
}

}  // namespace
}  // namespace mqttrpc::testing
