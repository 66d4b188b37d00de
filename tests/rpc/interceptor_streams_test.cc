// Interceptors of streams through the whole stack.
#include <stdexcept>

#include <asio/awaitable.hpp>

#include "interceptor_recorder.h"
#include "stack.h"
#include "stream_service.h"

namespace mqttrpc {
namespace {

using test::ItemOf;
using test::Notes;
using test::RecordingClient;
using test::RecordingServer;
using test::seconds;
using test::streams::Item;
using test::streams::Range;
using test::streams::StreamsStub;
using test::streams::Total;
using testing::ElementsAre;
using testing::HasSubstr;

class StreamInterceptorTest : public test::StackTest {
 protected:
  void ServeAndOpenStub() {
    ServerOptions serving;
    serving.interceptors = {s1_, s2_};
    server_ = std::make_unique<Server>(*device_, serving);
    server_->Add(streams_);
    ASSERT_TRUE(world_.Run(server_->Start()).ok());
    ChannelOptions calling;
    calling.interceptors = {c1_, c2_};
    Open(calling);
    stub_.emplace(*channel_, "dev-1");
  }
  static Range RangeOf(std::int64_t end) {
    Range range;
    range.set_end(end);
    return range;
  }
  std::optional<Item> ReadOne(auto& reader) {
    return world_.Run<std::optional<Item>>([&](auto done) { reader.Read(std::move(done)); });
  }
  bool WriteOne(auto& writer, const Item& item) {
    return world_.Run<bool>([&](auto done) { writer.Write(item, std::move(done)); });
  }
  void ExpectEachEndedOnce() {
    Run();
    for (const auto& each : {c1_, c2_}) {
      EXPECT_EQ(each->begun, 1);
      EXPECT_EQ(each->ended, 1);
    }
    EXPECT_EQ(s1_->begun, s1_->ended);
    EXPECT_EQ(s2_->begun, s2_->ended);
    EXPECT_EQ(server_->running_calls(), 0u);
  }
  static void AddToNumber(google::protobuf::Message& message, std::int64_t what) {
    auto& item = static_cast<Item&>(message);
    item.set_number(item.number() + what);
  }

  test::StreamService streams_;
  std::optional<StreamsStub> stub_;
  const Notes notes_ = std::make_shared<std::vector<std::string>>();
  std::shared_ptr<RecordingClient> c1_ = std::make_shared<RecordingClient>("C1", notes_);
  std::shared_ptr<RecordingClient> c2_ = std::make_shared<RecordingClient>("C2", notes_);
  std::shared_ptr<RecordingServer> s1_ = std::make_shared<RecordingServer>("S1", notes_);
  std::shared_ptr<RecordingServer> s2_ = std::make_shared<RecordingServer>("S2", notes_);
};

TEST_F(StreamInterceptorTest, OfManyRepliesEachIsSeen) {
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(2));
  while (ReadOne(reader).has_value()) {
  }
  EXPECT_EQ(c1_->ended, 0);
  EXPECT_TRUE(world_.Run(reader.Finish()).ok());
  std::vector<std::string> calling, serving;
  for (const std::string& note : *notes_) (note[0] == 'C' ? calling : serving).push_back(note);
  EXPECT_THAT(calling, ElementsAre("C1 begin", "C2 begin", "C1 send", "C2 send", "C2 receive", "C1 receive",
                                   "C2 receive", "C1 receive", "C2 end", "C1 end"));
  EXPECT_THAT(serving, ElementsAre("S1 begin", "S2 begin", "S1 receive", "S2 receive", "S2 send", "S1 send", "S2 send",
                                   "S1 send", "S2 end", "S1 end"));
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, OfManyRequestsEachIsSeenAndTheReply) {
  ServeAndOpenStub();
  auto writer = stub_->Sum();
  EXPECT_TRUE(WriteOne(writer, ItemOf(0)));
  EXPECT_TRUE(WriteOne(writer, ItemOf(1)));
  const auto total = world_.Run(writer.Finish());
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ(total->count(), 2);
  std::vector<std::string> calling, serving;
  for (const std::string& note : *notes_) (note[0] == 'C' ? calling : serving).push_back(note);
  EXPECT_THAT(calling, ElementsAre("C1 begin", "C2 begin", "C1 send", "C2 send", "C1 send", "C2 send", "C2 receive",
                                   "C1 receive", "C2 end", "C1 end"));
  EXPECT_THAT(serving, ElementsAre("S1 begin", "S2 begin", "S1 receive", "S2 receive", "S1 receive", "S2 receive",
                                   "S2 send", "S1 send", "S2 end", "S1 end"));
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, MessagesAreChangedBothWays) {
  c1_->send = [](OutgoingMessage& message) { return AddToNumber(message.Change(), 1), absl::OkStatus(); };
  s1_->receive = [](google::protobuf::Message& message) { return AddToNumber(message, 10), absl::OkStatus(); };
  s1_->send = [](OutgoingMessage& message) { return AddToNumber(message.Change(), 100), absl::OkStatus(); };
  c1_->receive = [](google::protobuf::Message& message) { return AddToNumber(message, 1000), absl::OkStatus(); };
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(WriteOne(stream, ItemOf(i)));
    const auto back = ReadOne(stream);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->number(), i + 1111);
  }
  stream.WritesDone();
  EXPECT_TRUE(world_.Run(stream.Finish()).ok());
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, MetadataAndStatusAreChanged) {
  c1_->begin = [](ClientCallInfo& call) {
    EXPECT_EQ(call.request(), nullptr);
    call.options().metadata.Add("token", "t");
  };
  s1_->begin = [](ServerCallInfo& call) {
    EXPECT_EQ(call.metadata().Get("token"), "t");
    call.context().reply_metadata().Add("from", "s1");
  };
  s1_->end = [](absl::Status& status, ServerContext&) { status = absl::AbortedError("s1"); };
  c1_->end = [](absl::Status& status, CallInfo& info) {
    EXPECT_EQ(status.message(), "s1");
    EXPECT_EQ(info.metadata.Get("from"), "s1");
    info.metadata.Add("from", "c1");
    status = absl::OutOfRangeError("c1");
  };
  ServeAndOpenStub();
  CallInfo info;
  CallOptions options;
  options.info = &info;
  auto stream = stub_->Mirror(options);
  EXPECT_TRUE(WriteOne(stream, ItemOf(1)));
  EXPECT_TRUE(ReadOne(stream).has_value());
  stream.WritesDone();
  EXPECT_EQ(world_.Run(stream.Finish()), absl::OutOfRangeError("c1"));
  EXPECT_EQ(info.metadata.size(), 2u);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, TheCallingSideRefuses) {
  c2_->begin = [](ClientCallInfo& call) { call.Refuse(absl::PermissionDeniedError("no")); };
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  EXPECT_FALSE(ReadOne(stream).has_value());
  EXPECT_FALSE(WriteOne(stream, ItemOf(1)));
  const absl::Status status = world_.Run(stream.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotExecuted);
  EXPECT_EQ(streams_.begun, 0);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, TheServingSideRefuses) {
  s1_->begin = [](ServerCallInfo& call) { call.Refuse(absl::PermissionDeniedError("no")); };
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  EXPECT_FALSE(ReadOne(stream).has_value());
  const absl::Status status = world_.Run(stream.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotExecuted);
  EXPECT_TRUE(IsRemote(status));
  EXPECT_EQ(streams_.begun, 0);
  EXPECT_EQ(s2_->begun, 0);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, StreamsCannotBeAnswered) {
  c1_->begin = [](ClientCallInfo& call) { call.Answer(Item()); };
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(1));
  EXPECT_EQ(world_.Run(reader.Finish()).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(streams_.begun, 0);
}

TEST_F(StreamInterceptorTest, ARefusedRequestEndsTheCall) {
  c2_->send = [](OutgoingMessage& message) {
    return static_cast<const Item&>(message.get()).number() == 2 ? absl::DataLossError("two") : absl::OkStatus();
  };
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  EXPECT_TRUE(WriteOne(stream, ItemOf(1)));
  EXPECT_FALSE(WriteOne(stream, ItemOf(2)));
  EXPECT_FALSE(WriteOne(stream, ItemOf(3)));
  const absl::Status status = world_.Run(stream.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "two");
  EXPECT_EQ(OutcomeOf(status), Outcome::kPerhaps);
  EXPECT_EQ(s1_->last.code(), absl::StatusCode::kCancelled);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, ARefusedReplyEndsTheCallThoughItsEndWasHere) {
  c1_->receive = [](google::protobuf::Message& message) {
    return static_cast<Item&>(message).number() == 1 ? absl::DataLossError("one") : absl::OkStatus();
  };
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(5));
  Run();  // All of it has come.
  EXPECT_TRUE(ReadOne(reader).has_value());
  EXPECT_FALSE(ReadOne(reader).has_value());
  EXPECT_FALSE(ReadOne(reader).has_value());
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, TheServingSideRefusesARequestOfManyAndTheHandlerEnds) {
  s1_->receive = [](google::protobuf::Message& message) {
    return static_cast<Item&>(message).number() == 1 ? absl::InvalidArgumentError("one") : absl::OkStatus();
  };
  ServeAndOpenStub();
  auto writer = stub_->Sum();
  EXPECT_TRUE(WriteOne(writer, ItemOf(0)));
  EXPECT_TRUE(WriteOne(writer, ItemOf(1)));
  const absl::Status status = world_.Run(writer.Finish()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "one");
  EXPECT_TRUE(IsRemote(status));
  EXPECT_EQ(s2_->last.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(streams_.begun, streams_.ended);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, TheServingSideRefusesAReplyOfMany) {
  s2_->send = [](OutgoingMessage& message) {
    return static_cast<const Item&>(message.get()).number() == 1 ? absl::DataLossError("one") : absl::OkStatus();
  };
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(1'000'000));
  while (ReadOne(reader).has_value()) {
  }
  const absl::Status status = world_.Run(reader.Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(s1_->last.code(), absl::StatusCode::kDataLoss);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, WhatAHookThrowsEndsItsCallOnly) {
  const auto boom = [](auto&&...) -> absl::Status { throw std::runtime_error("boom"); };
  ServeAndOpenStub();
  const auto expect_boom = [&] {
    auto stream = stub_->Mirror();
    WriteOne(stream, ItemOf(1));
    ReadOne(stream);
    const absl::Status status = world_.Run(stream.Finish());
    EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
    EXPECT_THAT(status.message(), HasSubstr("boom"));
    Run();
    EXPECT_EQ(c1_->begun, c1_->ended);
    EXPECT_EQ(s1_->begun, s1_->ended);
    EXPECT_EQ(server_->running_calls(), 0u);
  };
  c1_->send = boom;
  expect_boom();
  c1_->send = nullptr;
  c1_->receive = boom;
  expect_boom();
  c1_->receive = nullptr;
  s1_->receive = boom;
  expect_boom();
  s1_->receive = nullptr;
  s1_->send = boom;
  expect_boom();
  s1_->send = nullptr;
  EXPECT_TRUE(world_.Run(stub_->Echo(ItemOf(1))).ok());
}

TEST_F(StreamInterceptorTest, CancellationReachesTheEndOnBothSides) {
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  Run();
  stream.Cancel();
  EXPECT_EQ(world_.Run(stream.Finish()).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(s1_->last.code(), absl::StatusCode::kCancelled);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, ADroppedReaderEndsTheCall) {
  ServeAndOpenStub();
  {
    CallInfo info;  // Goes with the reader.
    CallOptions options;
    options.info = &info;
    auto reader = stub_->Count(RangeOf(1'000'000), options);
    Run();
  }
  Run();
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kCancelled);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, AReaderDroppedAfterTheEndHasSeenIt) {
  ServeAndOpenStub();
  {
    auto reader = stub_->Count(RangeOf(1));
    while (ReadOne(reader).has_value()) {
    }
  }
  EXPECT_TRUE(c1_->last.ok()) << c1_->last;
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, ADestroyedChannelEndsItsStreamsOnce) {
  ServeAndOpenStub();
  auto stream = stub_->Mirror();
  Run();
  channel_.reset();
  EXPECT_EQ(world_.Run(stream.Finish()).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(c1_->last.code(), absl::StatusCode::kCancelled);
  ExpectEachEndedOnce();
}

TEST_F(StreamInterceptorTest, ASecondFinishChangesNothing) {
  ServeAndOpenStub();
  auto reader = stub_->Count(RangeOf(3));
  std::optional<absl::Status> first, second;
  reader.Finish([&](absl::Status status) { first = std::move(status); });
  reader.Finish([&](absl::Status status) { second = std::move(status); });
  Run();
  EXPECT_EQ(first, absl::OkStatus());
  EXPECT_EQ(second->code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(c1_->last.ok()) << c1_->last;
  ExpectEachEndedOnce();
}

}  // namespace
}  // namespace mqttrpc
