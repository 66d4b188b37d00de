// Any PUBLISH, as a caller or a responder may send it: the input is a frame body
// of one. Decoding must not fail in other ways than by a status; what it accepts
// must lead to answers that stay in our namespace and that MQTT can carry.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz_seeds.h"
#include "mqttrpc/mqtt/topic.h"
#include "packets.h"
#include "rpc1.h"

namespace {

using namespace mqttrpc;

constexpr std::uint8_t kPublishQoS1 = 0x32;

const Rpc1& Codec() {
  static const Rpc1 codec("site/rpc1");
  return codec;
}

[[noreturn]] void Fail(const char* what, std::string_view detail) {
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(detail.size()), detail.data());
  std::abort();
}

// Ours must be sendable and must not leave the namespace, whatever the peer said.
void CheckOurs(const mqtt::Message& message, std::string_view prefix) {
  if (!message.topic_name.starts_with(prefix)) Fail("foreign topic", message.topic_name);
  if (!mqtt::CheckTopicName(message.topic_name).ok()) Fail("bad topic", message.topic_name);
  mqtt::Publish publish;
  publish.topic_name = message.topic_name;
  publish.payload = message.payload;
  publish.properties = message.properties;
  std::string bytes;
  if (!EncodePublish(publish, mqtt::Sender::kClient, bytes).ok()) Fail("cannot be sent", message.topic_name);
}

void AsRequest(const mqtt::MessageView& message) {
  const auto request = Codec().DecodeRequest(message);
  if (!request.ok() || request->cancel) return;
  if (request->remaining.has_value() && *request->remaining > kMaximumTimeout) Fail("endless", message.topic_name);
  if (request->inbox.empty()) return;
  const WireStatus status = ToWire(request->refusal);
  ResponseOut response;
  response.caller = request->caller;
  response.inbox = request->inbox;
  response.correlation_data = request->correlation_data;
  response.instance = "dev";
  response.status = &status;
  bool details_lost = false;
  CheckOurs(Codec().EncodeResponse(response, ErrorPayload(request->refusal, request->content_type, details_lost)),
            "site/rpc1/r/");
}

void AsResponse(const mqtt::MessageView& message) {
  const auto response = Codec().DecodeResponse(message);
  if (!response.ok()) return;
  if (response->frame.has_value()) {
    const std::string_view instance = Codec().InstanceOf(response->later_topic, "me");
    if (!instance.empty()) {
      LaterOut later;
      later.instance = instance;
      later.caller = "me";
      later.response_topic = "site/rpc1/r/me/1";
      later.correlation_data = "id";
      CheckOurs(Codec().EncodeLater(later), "site/rpc1/u/");
    }
    RequestOut request;
    request.service = "acme.Lamp";
    request.target = "lamp";
    request.method = "Set";
    request.caller = "me";
    request.correlation_data = "id";
    CheckOurs(Codec().EncodeCancel(request, response->later_topic), "site/rpc1/");
    return;
  }
  if (response->status.code == 0) return;
  const absl::Status status = FromWire(response->status, message.payload, response->content_type);
  if (status.ok() || !IsRemote(status)) Fail("an error that is none", status.ToString());
}

// A frame of a caller; what it asks for is answered in its own inbox. What is encoded of
// what was decoded is the same again.
void AsLater(const mqtt::MessageView& message) {
  if (!Codec().IsLater(message)) return;
  const auto later = Codec().DecodeLater(message);
  if (!later.ok() || !later->broken.ok()) return;
  if (later->frame.number > kMaximumSequence || later->fragment.length.value_or(0) > kMaximumSequence) {
    Fail("too large a number", message.topic_name);
  }
  if (!later->inbox.empty()) {
    ResponseOut response;
    response.caller = later->caller;
    response.inbox = later->inbox;
    response.correlation_data = later->correlation_data;
    response.instance = "dev";
    CheckOurs(Codec().EncodeResponse(response, ""), "site/rpc1/r/");
  }
  if (later->instance.empty()) return;
  FragmentOut fragment;
  fragment.message = std::make_shared<const std::string>(later->fragment.payload);
  fragment.size = fragment.message->size();
  fragment.length = later->fragment.length;
  fragment.checksum = later->fragment.checksum;
  LaterOut out;
  out.instance = later->instance;
  out.caller = later->caller;
  const std::string response_topic = Codec().InboxTopic(later->caller, later->inbox.empty() ? "1" : later->inbox);
  out.response_topic = response_topic;
  out.correlation_data = later->correlation_data;
  out.frame = later->frame;
  out.fragment = &fragment;
  const mqtt::Message again = Codec().EncodeLater(out);
  // What was taken from the topic may be no level that MQTT can carry; nothing of ours comes from there.
  if (!mqtt::CheckTopicName(message.topic_name).ok()) return;
  CheckOurs(again, "site/rpc1/u/");
  mqtt::MessageView view;
  view.topic_name = again.topic_name;
  view.payload = again.payload;
  view.properties = again.properties.view();
  const auto read = Codec().DecodeLater(view);
  if (!read.ok() || !read->broken.ok()) Fail("our own frame is not read", again.topic_name);
  if (read->frame != later->frame || read->fragment.payload != later->fragment.payload ||
      read->fragment.more != later->fragment.more || read->fragment.length != later->fragment.length ||
      read->fragment.checksum != later->fragment.checksum || read->fragment.sequence != later->fragment.sequence ||
      read->correlation_data != later->correlation_data || read->caller != later->caller) {
    Fail("a frame is read otherwise than it was written", again.topic_name);
  }
}

std::string Body(const mqtt::Message& message) {
  mqtt::Publish publish;
  publish.qos = mqtt::QoS::kAtLeastOnce;
  publish.packet_id = 1;
  publish.topic_name = message.topic_name;
  publish.payload = message.payload;
  publish.properties = message.properties;
  std::string bytes;
  if (!EncodePublish(publish, mqtt::Sender::kClient, bytes).ok()) Fail("seed", message.topic_name);
  return bytes.substr(bytes.size() < 130 ? 2 : 3);  // Without first byte and Remaining Length.
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  Metadata metadata;
  metadata.Add("k", "v");
  metadata.Add("k-bin", "bytes");
  RequestOut request;
  request.service = "acme.Lamp";
  request.target = "dev";
  request.method = "Set";
  request.caller = "me";
  request.response_topic = "site/rpc1/r/me/1";
  request.correlation_data = "0123456789abcdef";
  request.remaining = std::chrono::milliseconds(1500);
  request.attempt = 2;
  request.metadata = &metadata;
  std::vector<std::string> seeds{Body(Codec().EncodeRequest(request, "payload")),
                                 Body(Codec().EncodeCancel(request, ""))};
  request.content_type = ContentType::kJson;
  seeds.push_back(Body(Codec().EncodeRequest(request, "{}")));
  const absl::Status error = absl::NotFoundError("gone");
  const WireStatus status = ToWire(error);
  ResponseOut response;
  response.caller = "me";
  response.inbox = "1";
  response.correlation_data = "0123456789abcdef";
  response.instance = "dev";
  response.status = &status;
  response.metadata = &metadata;
  for (const ContentType type : {ContentType::kProtobuf, ContentType::kJson}) {
    bool details_lost = false;
    response.content_type = type;
    seeds.push_back(Body(Codec().EncodeResponse(response, ErrorPayload(error, type, details_lost))));
  }
  response.status = nullptr;
  for (const char* text : {"a:64", "m:0", "m:1+", "e:2", "w:1:65!", "q:3"}) {
    response.frame = ParseFrame(text);
    response.maximum_packet = 16'384;
    seeds.push_back(Body(Codec().EncodeResponse(response, "payload")));
  }
  FragmentOut fragment;
  fragment.message = std::make_shared<const std::string>("payload");
  fragment.size = 7;
  fragment.length = 20;
  fragment.checksum = 0x1234;
  LaterOut later;
  later.instance = "dev";
  later.caller = "me";
  later.response_topic = "site/rpc1/r/me/1";
  later.correlation_data = "0123456789abcdef";
  later.fragment = &fragment;
  for (const char* text : {"m:0+", "m:1", "e:2", "w:1:65", "w:1:65!", "p:3", "c"}) {
    later.frame = *ParseFrame(text);
    seeds.push_back(Body(Codec().EncodeLater(later)));
  }
  request.frame = ParseFrame("o:64+");
  request.length = 20;
  request.maximum_packet = 16'384;
  request.accept = request.idle = std::chrono::milliseconds(5'000);
  seeds.push_back(Body(Codec().EncodeRequest(request, "{}")));
  test::WriteSeeds(*argc, *argv, seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mqtt::Frame frame;
  frame.first_byte = kPublishQoS1;
  frame.body = std::span(reinterpret_cast<const std::byte*>(data), size);
  const auto packet = DecodePacket(frame, mqtt::Sender::kServer);
  if (!packet.ok()) return 0;
  const auto& publish = std::get<mqtt::Publish>(*packet);
  mqtt::MessageView message;
  message.topic_name = publish.topic_name;
  message.payload = publish.payload;
  message.qos = publish.qos;
  message.properties = publish.properties;
  AsRequest(message);
  AsLater(message);
  AsResponse(message);
  return 0;
}
