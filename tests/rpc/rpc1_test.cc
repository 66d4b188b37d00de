// Every row of docs/protocol.md that unary calls use, on messages as they travel.
#include "rpc1.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages.h"

namespace mqttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::AddUserProperty;
using test::UserProperties;
using test::UserPropertiesOf;
using test::UserProperty;
using test::View;
using testing::HasSubstr;
namespace property = mqtt::property;

const Rpc1& Codec() {
  static const Rpc1 codec("rpc1");
  return codec;
}

RequestOut SomeRequest() {
  RequestOut request;
  request.service = "acme.Lamp";
  request.target = "lamp-42";
  request.method = "SetLevel";
  request.caller = "me";
  request.response_topic = "rpc1/r/me/in";
  request.correlation_data = "0123456789abcdef";
  request.remaining = milliseconds(1500);
  return request;
}

// A request as a plain MQTT 5 client makes it.
mqtt::Message PlainRequest() {
  mqtt::Message message("rpc1/q/acme.Lamp/lamp-42/SetLevel/me", "payload");
  message.properties.Set(property::kResponseTopic, "rpc1/r/me/1");
  message.properties.Set(property::kCorrelationData, "id");
  return message;
}

TEST(Rpc1TopicsTest, FollowTheProtocol) {
  EXPECT_EQ(Codec().InboxTopic("me", "1"), "rpc1/r/me/1");
  EXPECT_EQ(Codec().InstanceFilter("lamp-42"), "rpc1/q/+/lamp-42/+/+");
  EXPECT_EQ(Codec().PoolFilter("g", "acme.Lamp"), "$share/g/rpc1/q/acme.Lamp/_/+/+");
  EXPECT_EQ(Codec().EncodeRequest(SomeRequest(), "").topic_name, "rpc1/q/acme.Lamp/lamp-42/SetLevel/me");
  EXPECT_EQ(Rpc1("plant/4/rpc1").EncodeRequest(SomeRequest(), "").topic_name,
            "plant/4/rpc1/q/acme.Lamp/lamp-42/SetLevel/me");
}

TEST(Rpc1RequestTest, CarriesWhatTheTableSays) {
  const mqtt::Message message = Codec().EncodeRequest(SomeRequest(), "payload");
  EXPECT_EQ(message.payload, "payload");
  EXPECT_EQ(message.qos, mqtt::QoS::kAtLeastOnce);
  EXPECT_FALSE(message.retain);
  EXPECT_EQ(message.properties.Get(property::kResponseTopic), "rpc1/r/me/in");
  EXPECT_EQ(message.properties.Get(property::kCorrelationData), "0123456789abcdef");
  EXPECT_EQ(message.properties.Get(property::kMessageExpiryInterval), 2u);  // 1.5 s, rounded up.
  EXPECT_EQ(message.properties.Get(property::kContentType), "application/protobuf");
  EXPECT_EQ(message.properties.Get(property::kPayloadFormatIndicator), std::nullopt);
  EXPECT_EQ(UserPropertiesOf(message), (UserProperties{{"rpc-tmo", "1500"}}));
}

TEST(Rpc1RequestTest, JsonSaysThatItIsText) {
  RequestOut request = SomeRequest();
  request.content_type = ContentType::kJson;
  const mqtt::Message message = Codec().EncodeRequest(request, "{}");
  EXPECT_EQ(message.properties.Get(property::kContentType), "application/json");
  EXPECT_EQ(message.properties.Get(property::kPayloadFormatIndicator), 1);
}

TEST(Rpc1RequestTest, OneWayHasNoResponseTopic) {
  RequestOut request = SomeRequest();
  request.response_topic = "";
  EXPECT_EQ(Codec().EncodeRequest(request, "").properties.Get(property::kResponseTopic), std::nullopt);
}

TEST(Rpc1RequestTest, OnlyALaterAttemptSaysItsNumber) {
  RequestOut request = SomeRequest();
  EXPECT_EQ(UserProperty(Codec().EncodeRequest(request, ""), "rpc-att"), "");
  request.attempt = 2;
  EXPECT_EQ(UserProperty(Codec().EncodeRequest(request, ""), "rpc-att"), "2");
}

TEST(Rpc1RequestTest, AMethodMayChooseQoS0) {
  RequestOut request = SomeRequest();
  request.qos = mqtt::QoS::kAtMostOnce;
  EXPECT_EQ(Codec().EncodeRequest(request, "").qos, mqtt::QoS::kAtMostOnce);
}

// A caller must not make the server keep much beside its payload.
TEST(Rpc1RequestTest, TooMuchMetadataIsRefusedAndNotKept) {
  mqtt::Message many = PlainRequest();
  for (int i = 0; i < 200; ++i) AddUserProperty(many, "k", "");
  mqtt::Message large = PlainRequest();
  AddUserProperty(large, "k", std::string(40'000, 'x'));
  for (const mqtt::Message& message : {many, large}) {
    const auto decoded = Codec().DecodeRequest(View(message));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->refusal.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_LE(decoded->metadata.size(), 128u);
  }
}

TEST(Rpc1RequestTest, MetadataKeepsOrderAndRepeatsBothWays) {
  Metadata metadata;
  metadata.Add("b", "1");
  metadata.Add("a", "2");
  metadata.Add("b", "3");
  metadata.Add("key-bin", std::string("\x00\xFF\x10", 3));
  metadata.Add("traceparent", "00-x-y-01");
  RequestOut request = SomeRequest();
  request.metadata = &metadata;
  const mqtt::Message message = Codec().EncodeRequest(request, "");
  EXPECT_EQ(
      UserPropertiesOf(message),
      (UserProperties{
          {"rpc-tmo", "1500"}, {"b", "1"}, {"a", "2"}, {"b", "3"}, {"key-bin", "AP8Q"}, {"traceparent", "00-x-y-01"}}));
  const auto decoded = Codec().DecodeRequest(View(message));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->metadata, metadata);
}

TEST(Rpc1RequestTest, IsReadAsItWasWritten) {
  RequestOut request = SomeRequest();
  request.attempt = 3;
  const mqtt::Message message = Codec().EncodeRequest(request, "payload");
  const auto decoded = Codec().DecodeRequest(View(message));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->service, "acme.Lamp");
  EXPECT_EQ(decoded->target, "lamp-42");
  EXPECT_EQ(decoded->method, "SetLevel");
  EXPECT_EQ(decoded->caller, "me");
  EXPECT_EQ(decoded->inbox, "in");
  EXPECT_EQ(decoded->correlation_data, "0123456789abcdef");
  EXPECT_EQ(decoded->remaining, milliseconds(1500));
  EXPECT_EQ(decoded->attempt, 3);
  EXPECT_EQ(decoded->content_type, ContentType::kProtobuf);
  EXPECT_TRUE(decoded->refusal.ok());
  EXPECT_FALSE(decoded->cancel);
}

TEST(Rpc1RequestTest, NeedsNoUserPropertyAtAll) {
  const mqtt::Message message = PlainRequest();
  const auto decoded = Codec().DecodeRequest(View(message));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(decoded->refusal.ok()) << decoded->refusal;
  EXPECT_EQ(decoded->inbox, "1");
  EXPECT_EQ(decoded->remaining, std::nullopt);
  EXPECT_EQ(decoded->attempt, 1);
}

TEST(Rpc1RequestTest, AbsentContentTypeIsJsonIfItOpensWithABrace) {
  mqtt::Message message = PlainRequest();
  EXPECT_EQ(Codec().DecodeRequest(View(message))->content_type, ContentType::kProtobuf);
  message.payload = "{\"level\":40}";
  EXPECT_EQ(Codec().DecodeRequest(View(message))->content_type, ContentType::kJson);
  message.properties.Set(property::kContentType, "application/protobuf");
  EXPECT_EQ(Codec().DecodeRequest(View(message))->content_type, ContentType::kProtobuf);
  message.payload = "";
  message.properties.Set(property::kContentType, "Application/JSON; charset=utf-8");
  EXPECT_EQ(Codec().DecodeRequest(View(message))->content_type, ContentType::kJson);
}

// Responder's deadline = arrival + tmo - the whole seconds the broker held it.
TEST(Rpc1DeadlineTest, QueueTimeIsSubtracted) {
  struct Row {
    std::string tmo;
    std::optional<std::uint32_t> expiry;
    std::optional<milliseconds> remaining;
  };
  const Row rows[] = {
      {"1500", 2u, milliseconds(1500)},            // Not held.
      {"1500", 1u, milliseconds(500)},             // Held for a second.
      {"1500", 0u, milliseconds(-500)},            // Over.
      {"5000", 5u, milliseconds(5000)},            // Whole seconds.
      {"5000", 2u, milliseconds(2000)},            //
      {"1", 1u, milliseconds(1)},                  // The shortest.
      {"0", 1u, milliseconds(0)},                  //
      {"1500", 9u, milliseconds(1500)},            // A broker cannot give time.
      {"1500", std::nullopt, milliseconds(1500)},  // Nothing known about the queue.
      {"", 5u, seconds(5)},                        // Whole seconds are all there is.
      {"", std::nullopt, std::nullopt},            // The method's default.
      {"99999999999999", std::nullopt, kMaximumTimeout},
      {"", 0xFFFF'FFFFu, kMaximumTimeout},
  };
  for (const Row& row : rows) {
    mqtt::Message message = PlainRequest();
    if (!row.tmo.empty()) AddUserProperty(message, "rpc-tmo", row.tmo);
    if (row.expiry.has_value()) message.properties.Set(property::kMessageExpiryInterval, *row.expiry);
    const auto decoded = Codec().DecodeRequest(View(message));
    ASSERT_TRUE(decoded.ok());
    EXPECT_TRUE(decoded->refusal.ok());
    EXPECT_EQ(decoded->remaining, row.remaining) << row.tmo << " " << row.expiry.value_or(0);
  }
}

TEST(Rpc1HostileTest, NeitherRunsNorAnswersForeignResponseTopics) {
  const std::string_view bad[] = {
      "$SYS/broker/x", "$SYS/r/me/1",     "rpc1/r/other/1",      "rpc1/r/+/1",
      "rpc1/r/me/#",   "rpc1/r/me/+",     "rpc1/q/me/1",         "me/1",
      "r/me",          "home/lamp",       "rpc1/r/me/a b",       "rpc1/r/me/",
      "rpc1/r//1",     "rpc1/q/s/t/m/me", "rpc1/r/me/1/r/you/1", "rpc1/r/me/1/more",
      "+/r/me/1",
  };
  for (const std::string_view response_topic : bad) {
    mqtt::Message message = PlainRequest();
    message.properties.Set(property::kResponseTopic, response_topic);
    EXPECT_FALSE(Codec().DecodeRequest(View(message)).ok()) << response_topic;
  }
}

// A bridge may have put other levels before it: only the tail counts.
TEST(Rpc1HostileTest, AnswersUnderItsOwnNameSpaceWhateverThePrefix) {
  mqtt::Message message = PlainRequest();
  message.properties.Set(property::kResponseTopic, "far/away/rpc1/r/me/1");
  const auto decoded = Codec().DecodeRequest(View(message));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ResponseOut response;
  response.caller = decoded->caller;
  response.inbox = decoded->inbox;
  EXPECT_EQ(Codec().EncodeResponse(response, "").topic_name, "rpc1/r/me/1");
}

TEST(Rpc1HostileTest, DropsWhatIsNoRequest) {
  for (const std::string_view topic_name :
       {"rpc1/q/s/t/m", "rpc1/q/s/t/m/me/x", "rpc2/q/s/t/m/me", "rpc1/q/s//m/me", "rpc1/q/s/t/m/a b", "rpc1/q////"}) {
    mqtt::Message message = PlainRequest();
    message.topic_name = std::string(topic_name);
    EXPECT_FALSE(Codec().DecodeRequest(View(message)).ok()) << topic_name;
  }
  mqtt::Message retained = PlainRequest();
  retained.retain = true;
  EXPECT_THAT(Codec().DecodeRequest(View(retained)).status().message(), HasSubstr("retained"));
}

TEST(Rpc1HostileTest, RefusesWhatItCannotMeanAnything) {
  const std::pair<std::string, std::string> bad[] = {
      {"rpc-tmo", "soon"}, {"rpc-tmo", "-5"}, {"rpc-tmo", ""}, {"rpc-att", "0"}, {"rpc-att", "x"}, {"k-bin", "?"},
  };
  for (const auto& [name, value] : bad) {
    mqtt::Message message = PlainRequest();
    AddUserProperty(message, name, value);
    const auto decoded = Codec().DecodeRequest(View(message));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->refusal.code(), absl::StatusCode::kInvalidArgument) << name << "=" << value;
    EXPECT_THAT(decoded->refusal.message(), HasSubstr(name));
  }
  mqtt::Message long_id = PlainRequest();
  long_id.properties.Set(property::kCorrelationData, std::string(65, 'x'));
  EXPECT_EQ(Codec().DecodeRequest(View(long_id))->refusal.code(), absl::StatusCode::kInvalidArgument);
  mqtt::Message xml = PlainRequest();
  xml.properties.Set(property::kContentType, "application/xml");
  EXPECT_EQ(Codec().DecodeRequest(View(xml))->refusal.code(), absl::StatusCode::kInvalidArgument);
}

TEST(Rpc1HostileTest, RefusesWhatIsReservedForLater) {
  for (const auto& [name, value] : UserProperties{{"rpc-enc", "zstd"}, {"rpc-sec", "1"}}) {
    mqtt::Message message = PlainRequest();
    AddUserProperty(message, name, value);
    EXPECT_EQ(Codec().DecodeRequest(View(message))->refusal.code(), absl::StatusCode::kUnimplemented) << name;
  }
  mqtt::Message ping = PlainRequest();
  ping.topic_name = "rpc1/q/s/t/-ping/me";
  EXPECT_EQ(Codec().DecodeRequest(View(ping))->refusal.code(), absl::StatusCode::kUnimplemented);
}

TEST(Rpc1RequestTest, PassesOverPropertiesOfOursItDoesNotKnow) {
  mqtt::Message message = PlainRequest();
  AddUserProperty(message, "rpc-future", "x");
  const auto decoded = Codec().DecodeRequest(View(message));
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded->refusal.ok());
  EXPECT_TRUE(decoded->metadata.empty());
}

TEST(Rpc1CancelTest, GoesToTheMethodCancelOfTheTarget) {
  const mqtt::Message message = Codec().EncodeCancel(SomeRequest(), "");
  EXPECT_EQ(message.topic_name, "rpc1/q/acme.Lamp/lamp-42/-cancel/me");
  EXPECT_EQ(message.properties.Get(property::kCorrelationData), "0123456789abcdef");
  EXPECT_EQ(message.properties.Get(property::kResponseTopic), std::nullopt);
  EXPECT_EQ(UserPropertiesOf(message), (UserProperties{{"rpc-f", "c"}}));
  const auto decoded = Codec().DecodeRequest(View(message));
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded->cancel);
  EXPECT_EQ(decoded->caller, "me");
}

TEST(Rpc1CancelTest, GoesWhereTheResponderSaidWithinOurNameSpace) {
  EXPECT_EQ(Codec().EncodeCancel(SomeRequest(), "rpc1/u/lamp-42/me").topic_name, "rpc1/u/lamp-42/me");
  EXPECT_EQ(Codec().EncodeCancel(SomeRequest(), "bridge/rpc1/u/lamp-42/me").topic_name, "rpc1/u/lamp-42/me");
  for (const std::string_view bad : {"$SYS/x", "rpc1/u/lamp-42/you", "home/lamp", "rpc1/u/+/me", "rpc1/r/a/me"}) {
    EXPECT_EQ(Codec().EncodeCancel(SomeRequest(), bad).topic_name, "rpc1/q/acme.Lamp/lamp-42/-cancel/me") << bad;
  }
}

TEST(Rpc1CancelTest, WithoutItsFrameOrIdIsDropped) {
  mqtt::Message message = Codec().EncodeCancel(SomeRequest(), "");
  message.properties.Remove(mqtt::PropertyId::kCorrelationData);
  EXPECT_FALSE(Codec().DecodeRequest(View(message)).ok());
  message = Codec().EncodeCancel(SomeRequest(), "");
  message.properties.Remove(mqtt::PropertyId::kUserProperty);
  EXPECT_FALSE(Codec().DecodeRequest(View(message)).ok());
}

ResponseOut SomeResponse() {
  ResponseOut response;
  response.caller = "me";
  response.inbox = "in";
  response.correlation_data = "0123456789abcdef";
  response.instance = "lamp-42";
  response.remaining = milliseconds(900);
  return response;
}

TEST(Rpc1ResponseTest, CarriesWhatTheTableSays) {
  const mqtt::Message message = Codec().EncodeResponse(SomeResponse(), "payload");
  EXPECT_EQ(message.topic_name, "rpc1/r/me/in");
  EXPECT_EQ(message.payload, "payload");
  EXPECT_EQ(message.properties.Get(property::kCorrelationData), "0123456789abcdef");
  EXPECT_EQ(message.properties.Get(property::kMessageExpiryInterval), 1u);
  EXPECT_EQ(message.properties.Get(property::kContentType), "application/protobuf");
  EXPECT_EQ(message.properties.Get(property::kResponseTopic), std::nullopt);
  EXPECT_EQ(UserPropertiesOf(message), (UserProperties{{"rpc-from", "lamp-42"}}));  // No status: 0.
}

TEST(Rpc1ResponseTest, AnErrorSaysCodeTextOutcomeAndPushBack) {
  WireStatus status;
  status.code = 8;
  status.text = "busy";
  status.outcome = Outcome::kNotExecuted;
  status.retry_after = milliseconds(100);
  ResponseOut response = SomeResponse();
  response.status = &status;
  const mqtt::Message message = Codec().EncodeResponse(response, "");
  EXPECT_EQ(
      UserPropertiesOf(message),
      (UserProperties{
          {"rpc-status", "8"}, {"rpc-msg", "busy"}, {"rpc-x", "n"}, {"rpc-retry", "100"}, {"rpc-from", "lamp-42"}}));
  const auto decoded = Codec().DecodeResponse(View(message));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->status.code, 8);
  EXPECT_EQ(decoded->status.text, "busy");
  EXPECT_EQ(decoded->status.outcome, Outcome::kNotExecuted);
  EXPECT_EQ(decoded->status.retry_after, milliseconds(100));
  EXPECT_EQ(decoded->instance, "lamp-42");
  EXPECT_FALSE(decoded->frame.has_value());
}

TEST(Rpc1ResponseTest, APlainOneMeansOk) {
  mqtt::Message message("rpc1/r/me/in", "{}");
  message.properties.Set(property::kCorrelationData, "id");
  const auto decoded = Codec().DecodeResponse(View(message));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->status.code, 0);
  EXPECT_EQ(decoded->content_type, ContentType::kJson);
  EXPECT_EQ(decoded->correlation_data, "id");
}

TEST(Rpc1ResponseTest, WithoutCorrelationDataIsDropped) {
  EXPECT_FALSE(Codec().DecodeResponse(View(mqtt::Message("rpc1/r/me/in", "x"))).ok());
}

TEST(Rpc1ResponseTest, AStatusThatIsNoneIsInternal) {
  for (const std::string_view bad : {"17", "-1", "x", ""}) {
    mqtt::Message message = Codec().EncodeResponse(SomeResponse(), "");
    AddUserProperty(message, "rpc-status", bad);
    const auto decoded = Codec().DecodeResponse(View(message));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->status.code, 13) << bad;
  }
}

TEST(Rpc1ResponseTest, AnAcceptIsNotTheEnd) {
  mqtt::Message message = Codec().EncodeResponse(SomeResponse(), "");
  AddUserProperty(message, "rpc-f", "a:1");
  AddUserProperty(message, "rpc-to", "rpc1/u/lamp-42/me");
  const auto decoded = Codec().DecodeResponse(View(message));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->frame->kind, Frame::Kind::kAccept);
  EXPECT_EQ(decoded->later_topic, "rpc1/u/lamp-42/me");
  mqtt::Message later = Codec().EncodeResponse(SomeResponse(), "");
  AddUserProperty(later, "rpc-f", "m:1+");
  const auto message_frame = Codec().DecodeResponse(View(later));
  ASSERT_TRUE(message_frame.ok());
  EXPECT_EQ(message_frame->frame->kind, Frame::Kind::kMessage);
  EXPECT_EQ(message_frame->fragment.sequence, 1u);
  EXPECT_TRUE(message_frame->fragment.more);
}

TEST(Rpc1ResponseTest, SentAgainItSaysTheTimeThatIsLeftThen) {
  mqtt::Message message = Codec().EncodeResponse(SomeResponse(), "");
  Codec().SetRemaining(message, milliseconds(7001));
  EXPECT_EQ(message.properties.Get(property::kMessageExpiryInterval), 8u);
}

}  // namespace
}  // namespace mqttrpc
