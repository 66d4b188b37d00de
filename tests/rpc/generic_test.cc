// Calls by descriptor, against generated code and against each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include "mqttrpc/rpc/generic.h"
#include "mqttrpc/rpc/status.h"
#include "mqttrpc/testing/local_link.h"
#include "stream_service.h"

namespace mqttrpc {
namespace {

namespace gpb = google::protobuf;
using test::ItemOf;
using test::StreamService;
using test::streams::Item;
using test::streams::Range;
using test::streams::StreamsStub;
using test::streams::Total;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LocalLink;
using Reply = absl::StatusOr<GenericMessage>;

// What stream_test.proto says, and more, as somebody else has it: this program learns it as it runs.
constexpr const char* kFile = R"pb(
  name: "streams_at_run_time.proto"
  package: "mqttrpc.test.streams"
  syntax: "proto3"
  message_type {
    name: "Item"
    field { name: "number" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL json_name: "number" }
    field { name: "data" number: 2 type: TYPE_BYTES label: LABEL_OPTIONAL json_name: "data" }
  }
  message_type {
    name: "Range"
    field { name: "begin" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL json_name: "begin" }
    field { name: "end" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL json_name: "end" }
  }
  message_type {
    name: "Total"
    field { name: "count" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL json_name: "count" }
    field { name: "sum" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL json_name: "sum" }
  }
  service {
    name: "Streams"
    method { name: "Echo" input_type: "Item" output_type: "Item" }
    method { name: "Count" input_type: "Range" output_type: "Item" server_streaming: true }
    method { name: "Sum" input_type: "Item" output_type: "Total" client_streaming: true }
    method { name: "Mirror" input_type: "Item" output_type: "Item" client_streaming: true server_streaming: true }
    method { name: "Newer" input_type: "Item" output_type: "Item" }
  }
)pb";

class GenericTest : public ::testing::Test {
 protected:
  GenericTest() : file_(Build(kFile)), descriptor_(*file_->service(0)) {}

  const gpb::FileDescriptor* Build(const std::string& text) {
    gpb::FileDescriptorProto proto;
    EXPECT_TRUE(gpb::TextFormat::ParseFromString(text, &proto));
    const gpb::FileDescriptor* const file = pool_.BuildFile(proto);
    EXPECT_NE(file, nullptr);
    return file;
  }

  // The stub, for a service that is served.
  GenericStub StubFor(Service& service) {
    link_.Serve(service);
    return GenericStub(link_.channel(), descriptor_, LocalLink::kServer);
  }

  // Lives as long as the test.
  template <typename Handler>
  GenericService& MakeService(Handler handler) {
    return MakeService(descriptor_, std::move(handler));
  }
  template <typename Handler>
  GenericService& MakeService(const gpb::ServiceDescriptor& descriptor, Handler handler) {
    return *generic_.emplace_back(std::make_unique<GenericService>(descriptor, std::move(handler)));
  }

  static std::string Json(const gpb::Message& message) {
    std::string json;
    EXPECT_TRUE(gpb::util::MessageToJsonString(message, &json).ok());
    return json;
  }
  static GenericMessage FromJson(GenericMessage message, const std::string& json) {
    EXPECT_TRUE(gpb::util::JsonStringToMessage(json, message.get()).ok());
    return message;
  }
  GenericMessage Request(const GenericStub& stub, const std::string& method, const std::string& json) {
    return FromJson(stub.NewRequest(method), json);
  }

  static void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  gpb::DescriptorPool pool_;
  const gpb::FileDescriptor* file_;
  const gpb::ServiceDescriptor& descriptor_;
  StreamService service_;
  std::vector<std::unique_ptr<GenericService>> generic_;
  LocalLink link_;  // Last: services outlive it.
};

std::vector<std::string> ReadAll(LocalLink& link, GenericClientStream& stream) {
  std::vector<std::string> all;
  while (const GenericMessage message = link.Run(stream.Read())) all.push_back(message->ShortDebugString());
  return all;
}

// --- The calling side

TEST_F(GenericTest, CallsAGeneratedService) {
  const GenericStub stub = StubFor(service_);
  const GenericMessage request = Request(stub, "Echo", R"({"number": "7"})");
  const Reply reply = link_.Run(stub.Call("Echo", *request));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ((*reply)->GetDescriptor(), file_->FindMessageTypeByName("Item"));
  EXPECT_EQ(Json(**reply), R"({"number":"7"})");
}

TEST_F(GenericTest, SpeaksJson) {
  const GenericStub stub = StubFor(service_);
  const GenericMessage request = Request(stub, "Echo", R"({"number": "7"})");
  CallOptions options;
  options.content_type = ContentType::kJson;
  const Reply reply = link_.Run(stub.Call("Echo", *request, options));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(Json(**reply), R"({"number":"7"})");
}

TEST_F(GenericTest, TakesGeneratedMessagesToo) {
  const GenericStub stub = StubFor(service_);
  const Reply reply = link_.Run(stub.Call("Echo", ItemOf(8)));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(Json(**reply), R"({"number":"8"})");
}

TEST_F(GenericTest, AGeneratedDescriptorGivesGeneratedMessages) {
  link_.Serve(service_);
  const GenericStub stub(link_.channel(), *Item::descriptor()->file()->service(0), LocalLink::kServer);
  const Reply reply = link_.Run(stub.Call("Echo", ItemOf(9)));
  ASSERT_TRUE(reply.ok()) << reply.status();
  const auto* const item = dynamic_cast<const Item*>(reply->get());
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(item->number(), 9);
}

TEST_F(GenericTest, ReadsReplies) {
  const GenericStub stub = StubFor(service_);
  const GenericMessage request = Request(stub, "Count", R"({"begin": 1, "end": 4})");
  GenericClientStream stream = stub.Open("Count", *request);
  EXPECT_THAT(ReadAll(link_, stream), ElementsAre("number: 1", "number: 2", "number: 3"));
  const Reply end = link_.Run(stream.Finish());
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(*end, nullptr);
}

TEST_F(GenericTest, WritesRequests) {
  const GenericStub stub = StubFor(service_);
  GenericClientStream stream = stub.Open("Sum");
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(link_.Run(stream.Write(ItemOf(i))));
  EXPECT_EQ(link_.Run(stream.Read()), nullptr);  // There is one reply, and Finish() has it.
  const Reply total = link_.Run(stream.Finish());
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ((*total)->ShortDebugString(), "count: 4 sum: 6");
}

TEST_F(GenericTest, TalksBothWays) {
  const GenericStub stub = StubFor(service_);
  GenericClientStream stream = stub.Open("Mirror");
  const GenericMessage item = Request(stub, "Mirror", R"({"number": 5})");
  EXPECT_TRUE(link_.Run(stream.Write(*item)));
  const GenericMessage back = link_.Run(stream.Read());
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(back->ShortDebugString(), "number: 5");
  stream.WritesDone();
  EXPECT_EQ(link_.Run(stream.Read()), nullptr);
  EXPECT_TRUE(link_.Run(stream.Finish()).ok());
}

TEST_F(GenericTest, CallsAndMessagesOutliveTheStub) {
  link_.Serve(service_);
  std::optional<Reply> reply;
  {
    const GenericStub stub(link_.channel(), descriptor_, LocalLink::kServer);
    stub.Call("Echo", ItemOf(3), CallOptions(), [&](Reply result) { reply.emplace(std::move(result)); });
  }
  link_.RunUntilQuiet();
  ASSERT_TRUE(reply.has_value());
  ASSERT_TRUE(reply->ok()) << reply->status();
  EXPECT_EQ((**reply)->ShortDebugString(), "number: 3");
}

TEST_F(GenericTest, AMethodThatTheDescriptorLacksIsUnimplemented) {
  const GenericStub stub = StubFor(service_);
  EXPECT_EQ(stub.NewRequest("Sing"), nullptr);
  const absl::Status called = link_.Run(stub.Call("Sing", Item())).status();
  ExpectError(called, absl::StatusCode::kUnimplemented, "Sing");
  EXPECT_EQ(OutcomeOf(called), Outcome::kNotExecuted);
  EXPECT_FALSE(IsRemote(called));
  GenericClientStream stream = stub.Open("Sing");
  EXPECT_FALSE(link_.Run(stream.Write(Item())));
  EXPECT_EQ(link_.Run(stream.Read()), nullptr);
  ExpectError(link_.Run(stream.Finish()).status(), absl::StatusCode::kUnimplemented, "Sing");
  EXPECT_EQ(service_.begun, 0);
}

TEST_F(GenericTest, AMethodThatTheServiceLacksIsUnimplemented) {
  const GenericStub stub = StubFor(service_);
  const absl::Status status = link_.Run(stub.Call("Newer", Item())).status();
  ExpectError(status, absl::StatusCode::kUnimplemented, "Newer");
  EXPECT_TRUE(IsRemote(status));
}

TEST_F(GenericTest, ARequestOfAnotherTypeIsInvalid) {
  const GenericStub stub = StubFor(service_);
  const absl::Status called = link_.Run(stub.Call("Echo", Range())).status();
  ExpectError(called, absl::StatusCode::kInvalidArgument, "mqttrpc.test.streams.Range");
  EXPECT_EQ(OutcomeOf(called), Outcome::kNotExecuted);
  GenericClientStream opened = stub.Open("Count", Item());
  ExpectError(link_.Run(opened.Finish()).status(), absl::StatusCode::kInvalidArgument, "mqttrpc.test.streams.Item");
  GenericClientStream written = stub.Open("Sum");
  EXPECT_FALSE(link_.Run(written.Write(Range())));
  ExpectError(link_.Run(written.Finish()).status(), absl::StatusCode::kInvalidArgument, "mqttrpc.test.streams.Range");
}

TEST_F(GenericTest, TheKindOfTheMethodMustFit) {
  const GenericStub stub = StubFor(service_);
  ExpectError(link_.Run(stub.Call("Mirror", Item())).status(), absl::StatusCode::kInvalidArgument, "Open()");
  for (const char* method : {"Echo", "Count"}) {
    GenericClientStream stream = stub.Open(method);
    EXPECT_EQ(link_.Run(stream.Finish()).status().code(), absl::StatusCode::kInvalidArgument) << method;
  }
  GenericClientStream stream = stub.Open("Sum", Item());
  EXPECT_EQ(link_.Run(stream.Finish()).status().code(), absl::StatusCode::kInvalidArgument);
}

// --- The serving side

std::int64_t Number(const gpb::Message& message, const char* field) {
  return message.GetReflection()->GetInt64(message, message.GetDescriptor()->FindFieldByName(field));
}
void SetNumber(gpb::Message& message, const char* field, std::int64_t number) {
  message.GetReflection()->SetInt64(&message, message.GetDescriptor()->FindFieldByName(field), number);
}

// What StreamService does, without having been generated for it.
asio::awaitable<absl::Status> ServeByDescriptor(GenericServerCall& call) {
  const std::string method(call.method().name());
  if (method == "Echo") {
    call.reply().CopyFrom(call.request());
    call.context().reply_metadata().Add("served", "generically");
  } else if (method == "Count") {
    const GenericMessage item = call.NewReply();
    for (std::int64_t i = Number(call.request(), "begin"); i < Number(call.request(), "end"); ++i) {
      SetNumber(*item, "number", i);
      const bool written = co_await call.Write(*item);
      if (!written) co_return absl::CancelledError("nobody reads");
    }
  } else if (method == "Sum") {
    for (;;) {
      const GenericMessage item = co_await call.Read();
      if (item == nullptr) break;
      SetNumber(call.reply(), "sum", Number(call.reply(), "sum") + Number(*item, "number"));
    }
  } else if (method == "Mirror") {
    for (;;) {
      const GenericMessage item = co_await call.Read();
      if (item == nullptr) break;
      const bool written = co_await call.Write(*item);
      if (!written) break;
    }
  } else {
    co_return absl::UnimplementedError("not that one");
  }
  co_return absl::OkStatus();
}

class GenericServiceTest : public GenericTest {
 protected:
  GenericServiceTest() { link_.Serve(MakeService(ServeByDescriptor)); }

  StreamsStub stub_{link_.channel(), LocalLink::kServer};
};

TEST_F(GenericServiceTest, AnswersAGeneratedStub) {
  CallInfo info;
  CallOptions options;
  options.info = &info;
  const auto reply = link_.Run(stub_.Echo(ItemOf(7, 10), options));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->number(), 7);
  EXPECT_EQ(reply->data(), test::DataOf(7, 10));
  EXPECT_EQ(info.metadata.Get("served"), "generically");
}

TEST_F(GenericServiceTest, AnswersJson) {
  CallOptions options;
  options.content_type = ContentType::kJson;
  const auto reply = link_.Run(stub_.Echo(ItemOf(7), options));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->number(), 7);
}

TEST_F(GenericServiceTest, WritesReplies) {
  Range range;
  range.set_end(200);
  auto reader = stub_.Count(range);
  for (int i = 0; i < 200; ++i) {
    const auto item = link_.Run(reader.Read());
    ASSERT_TRUE(item.has_value());
    EXPECT_EQ(item->number(), i);
  }
  EXPECT_EQ(link_.Run(reader.Read()), std::nullopt);
  EXPECT_TRUE(link_.Run(reader.Finish()).ok());
}

TEST_F(GenericServiceTest, ReadsRequests) {
  auto writer = stub_.Sum();
  for (int i = 1; i <= 100; ++i) EXPECT_TRUE(link_.Run(writer.Write(ItemOf(i))));
  const auto total = link_.Run(writer.Finish());
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_EQ(total->sum(), 5'050);
}

TEST_F(GenericServiceTest, TalksBothWays) {
  auto mirror = stub_.Mirror();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(link_.Run(mirror.Write(ItemOf(i))));
    const auto item = link_.Run(mirror.Read());
    ASSERT_TRUE(item.has_value());
    EXPECT_EQ(item->number(), i);
  }
  mirror.WritesDone();
  EXPECT_TRUE(link_.Run(mirror.Finish()).ok());
}

// The generated stub's descriptor has a method that this one lacks.
TEST_F(GenericServiceTest, AMethodThatTheDescriptorLacksIsUnimplemented) {
  const absl::Status status = link_.Run(stub_.EchoSafely(Item())).status();
  ExpectError(status, absl::StatusCode::kUnimplemented, "EchoSafely");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotExecuted);
}

TEST_F(GenericTest, AServiceMayAnswerLater) {
  std::vector<std::shared_ptr<GenericServerCall>> calls;
  GenericService& service =
      MakeService([&](std::shared_ptr<GenericServerCall> call) { calls.push_back(std::move(call)); });
  const GenericStub stub = StubFor(service);
  std::optional<Reply> reply;
  stub.Call("Echo", ItemOf(3), CallOptions(), [&](Reply result) { reply.emplace(std::move(result)); });
  link_.Advance(std::chrono::seconds(2));
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_FALSE(reply.has_value());
  calls[0]->reply().CopyFrom(calls[0]->request());
  calls[0]->Finish(absl::OkStatus());
  link_.RunUntilQuiet();
  ASSERT_TRUE(reply.has_value());
  ASSERT_TRUE(reply->ok()) << reply->status();
  EXPECT_EQ((**reply)->ShortDebugString(), "number: 3");
}

TEST_F(GenericTest, WhatAHandlerThrowsIsUnknown) {
  GenericService& service = MakeService([](GenericServerCall&) -> asio::awaitable<absl::Status> {
    throw std::runtime_error("no bulb");
    co_return absl::OkStatus();
  });
  const GenericStub stub = StubFor(service);
  ExpectError(link_.Run(stub.Call("Echo", Item())).status(), absl::StatusCode::kUnknown, "no bulb");
}

TEST_F(GenericTest, AReplyOfAnotherTypeIsTheServersFault) {
  GenericService& service = MakeService([](GenericServerCall& call) -> asio::awaitable<absl::Status> {
    const bool written = co_await call.Write(Range());
    EXPECT_FALSE(written);
    co_return absl::OkStatus();
  });
  const GenericStub stub = StubFor(service);
  GenericClientStream stream = stub.Open("Count", Range());
  ExpectError(link_.Run(stream.Finish()).status(), absl::StatusCode::kInternal, "mqttrpc.test.streams.Range");
}

// The proxy of docs/generic.md.
asio::awaitable<absl::Status> Forward(const GenericStub& stub, GenericServerCall& call) {
  const std::string method(call.method().name());
  CallOptions options;
  options.parent = &call.context();
  const absl::StatusOr<GenericMessage> reply = co_await stub.Call(method, call.request(), options);
  if (!reply.ok()) co_return reply.status();
  call.reply().CopyFrom(**reply);
  co_return absl::OkStatus();
}

TEST_F(GenericTest, MakesAProxy) {
  link_.Serve(service_, "lamp");
  const GenericStub to_lamp(link_.channel(), descriptor_, "lamp");
  GenericService& proxy = MakeService([&to_lamp](GenericServerCall& call) { return Forward(to_lamp, call); });
  link_.Serve(proxy, "proxy");
  const StreamsStub stub(link_.channel(), "proxy");
  const auto reply = link_.Run(stub.Echo(ItemOf(4)));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->number(), 4);
  EXPECT_EQ(service_.begun, 1);
}

TEST_F(GenericTest, TheDocsShowThatProxy) {
  const auto read = [](const std::string& file) {
    std::ifstream in(std::string(MQTTRPC_SOURCE_DIR) + file);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  };
  const std::string source = read("/tests/rpc/generic_test.cc");
  const std::size_t begin = source.find("asio::awaitable<absl::Status> Forward(");
  const std::string proxy = source.substr(begin, source.find("\n}\n", begin) + 3 - begin);
  EXPECT_THAT(read("/docs/generic.md"), HasSubstr("```cpp\n" + proxy));
}

// --- Options

constexpr const char* kOptions = R"pb(
  name: "options_at_run_time.proto"
  package: "acme"
  syntax: "proto3"
  message_type { name: "Nothing" }
  service {
    name: "Lamp"
    method { name: "Plain" input_type: "Nothing" output_type: "Nothing" }
    method {
      name: "Own"
      input_type: "Nothing"
      output_type: "Nothing"
      options {
        idempotency_level: IDEMPOTENT
        [mqttrpc.method] { timeout_ms: 10000 qos: AT_MOST_ONCE }
      }
    }
    method { name: "Watch" input_type: "Nothing" output_type: "Nothing" server_streaming: true }
    method {
      name: "Odd"
      input_type: "Nothing"
      output_type: "Nothing"
      options {
        [mqttrpc.method] { timeout_ms: -5 }
      }
    }
    options {
      [mqttrpc.service] { share_group: "lamps" timeout_ms: 2000 }
    }
  }
)pb";

TEST_F(GenericTest, HeedsTheOptionsOfTheFile) {
  const GenericService& service = MakeService(*Build(kOptions)->service(0), ServeByDescriptor);
  const ServiceInfo& info = service.info();
  EXPECT_EQ(info.name, "acme.Lamp");
  EXPECT_EQ(info.share_group, "lamps");
  ASSERT_EQ(info.methods.size(), 4u);
  const MethodInfo& plain = info.methods[0];
  EXPECT_EQ(plain.name, "Plain");
  EXPECT_EQ(plain.timeout.count(), 2'000);
  EXPECT_EQ(plain.qos, mqtt::QoS::kAtLeastOnce);
  EXPECT_EQ(plain.idempotency, Idempotency::kUnknown);
  const MethodInfo& own = info.methods[1];
  EXPECT_EQ(own.timeout.count(), 10'000);
  EXPECT_EQ(own.qos, mqtt::QoS::kAtMostOnce);
  EXPECT_EQ(own.idempotency, Idempotency::kIdempotent);
  EXPECT_EQ(info.methods[2].timeout.count(), 0);  // A service's timeout is not for streams.
  EXPECT_EQ(info.methods[2].kind, MethodKind::kServerStreaming);
  EXPECT_EQ(info.methods[3].timeout.count(), 2'000);  // As if not set.
}

TEST_F(GenericTest, SaysWhatGeneratedCodeSays) {
  const GenericService& service = MakeService(*Item::descriptor()->file()->service(0), ServeByDescriptor);
  const ServiceInfo& info = service.info();
  const ServiceInfo& generated = test::streams::StreamsService::Info();
  EXPECT_EQ(info.name, generated.name);
  EXPECT_EQ(info.share_group, generated.share_group);
  ASSERT_EQ(info.methods.size(), generated.methods.size());
  for (std::size_t i = 0; i < info.methods.size(); ++i) {
    EXPECT_EQ(info.methods[i].name, generated.methods[i].name);
    EXPECT_EQ(info.methods[i].timeout, generated.methods[i].timeout);
    EXPECT_EQ(info.methods[i].qos, generated.methods[i].qos);
    EXPECT_EQ(info.methods[i].idempotency, generated.methods[i].idempotency);
    EXPECT_EQ(info.methods[i].kind, generated.methods[i].kind);
  }
}

}  // namespace
}  // namespace mqttrpc
