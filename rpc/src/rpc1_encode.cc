#include <algorithm>
#include <array>
#include <charconv>

#include <absl/strings/str_cat.h>

#include "metadata_wire.h"
#include "mqttrpc/mqtt/status.h"
#include "names.h"
#include "rpc1.h"
#include "topic_levels.h"

namespace mqttrpc {
namespace {

using mqtt::Properties;
using mqtt::ToAbsl;

// What the properties of a call without metadata take, without what peers choose.
constexpr std::size_t kUsualBytes = 80;

// Message Expiry for the time that is left: whole seconds, rounded up, so that a
// broker drops the message only when nobody can want it any more.
std::uint32_t ExpirySeconds(std::chrono::milliseconds remaining) {
  const auto bounded = std::clamp(remaining, std::chrono::milliseconds(1), kMaximumTimeout);
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(bounded).count());
}

void AddNumber(Properties& properties, std::string_view name, std::int64_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
  properties.Add(mqtt::property::kUserProperty, {name, text});
}

void AddText(Properties& properties, std::string_view name, std::string_view text) {
  properties.Add(mqtt::property::kUserProperty, {name, text});
}

void AddFrame(Properties& properties, const Frame& frame) { AddText(properties, rpc1::kFrame, frame.Text()); }

void AddFragment(Properties& properties, const FragmentOut& fragment) {
  if (fragment.length.has_value()) AddNumber(properties, rpc1::kLength, static_cast<std::int64_t>(*fragment.length));
  if (!fragment.checksum.has_value()) return;
  AddText(properties, rpc1::kChecksum, std::string(absl::StrCat(absl::Hex(*fragment.checksum, absl::kZeroPad8))));
}

void SetContentType(Properties& properties, ContentType content_type) {
  if (content_type == ContentType::kJson) {
    properties.Set(mqtt::property::kPayloadFormatIndicator, std::uint8_t{1});
    properties.Set(mqtt::property::kContentType, rpc1::kJsonType);
  } else {
    properties.Set(mqtt::property::kContentType, rpc1::kProtobufType);
  }
}

std::string_view OutcomeText(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNotExecuted: return "n";
    case Outcome::kExecuted: return "y";
    case Outcome::kPerhaps: break;
  }
  return "p";
}

void AddStatus(Properties& properties, const WireStatus& status) {
  if (status.code == 0) return;
  AddNumber(properties, rpc1::kStatus, status.code);
  if (!status.text.empty()) AddText(properties, rpc1::kText, status.text);
  AddText(properties, rpc1::kOutcome, OutcomeText(status.outcome.value_or(Outcome::kPerhaps)));
  if (status.retry_after.has_value()) AddNumber(properties, rpc1::kRetry, status.retry_after->count());
}

}  // namespace

Rpc1::Rpc1(std::string_view name_space)
    : name_space_(name_space),
      request_prefix_(absl::StrCat(name_space_, "/q/")),
      response_prefix_(absl::StrCat(name_space_, "/r/")),
      later_prefix_(absl::StrCat(name_space_, "/u/")) {}

std::string Rpc1::InboxTopic(std::string_view caller, std::string_view inbox) const {
  return absl::StrCat(response_prefix_, ToAbsl(caller), "/", ToAbsl(inbox));
}

std::string Rpc1::InstanceFilter(std::string_view instance) const {
  return absl::StrCat(request_prefix_, "+/", ToAbsl(instance), "/+/+");
}

std::string Rpc1::LaterTopic(std::string_view instance, std::string_view caller) const {
  return absl::StrCat(later_prefix_, ToAbsl(instance), "/", ToAbsl(caller));
}

std::string Rpc1::LaterFilter(std::string_view instance) const { return LaterTopic(instance, "+"); }

std::string Rpc1::PoolFilter(std::string_view share_group, std::string_view service) const {
  return absl::StrCat("$share/", ToAbsl(share_group), "/", request_prefix_, ToAbsl(service), "/_/+/+");
}

std::string Rpc1::RequestTopic(const RequestOut& request, std::string_view method) const {
  std::string topic;
  topic.reserve(request_prefix_.size() + request.service.size() + request.target.size() + method.size() +
                request.caller.size() + 3);
  topic.append(request_prefix_).append(request.service).append("/").append(request.target).append("/");
  topic.append(method).append("/").append(request.caller);
  return topic;
}

mqtt::Message Rpc1::EncodeRequest(const RequestOut& request, std::string payload) const {
  mqtt::Message message(RequestTopic(request, request.method), std::move(payload), request.qos);
  Properties& properties = message.properties;
  properties.Reserve(kUsualBytes + request.response_topic.size() + request.correlation_data.size());
  properties.Set(mqtt::property::kMessageExpiryInterval, ExpirySeconds(request.remaining));
  SetContentType(properties, request.content_type);
  if (!request.response_topic.empty()) properties.Set(mqtt::property::kResponseTopic, request.response_topic);
  properties.Set(mqtt::property::kCorrelationData, request.correlation_data);
  AddNumber(properties, rpc1::kTimeout, request.remaining.count());
  if (request.attempt > 1) AddNumber(properties, rpc1::kAttempt, request.attempt);
  if (request.frame.has_value()) AddFrame(properties, *request.frame);
  if (request.length.has_value()) AddNumber(properties, rpc1::kLength, static_cast<std::int64_t>(*request.length));
  if (request.maximum_packet > 0) {
    AddNumber(properties, rpc1::kMaximumPacket, static_cast<std::int64_t>(request.maximum_packet));
  }
  if (request.accept.count() > 0) AddNumber(properties, rpc1::kAccept, request.accept.count());
  if (request.idle.count() > 0) AddNumber(properties, rpc1::kIdle, request.idle.count());
  if (request.metadata != nullptr) AddMetadata(*request.metadata, properties);
  return message;
}

mqtt::Message Rpc1::EncodeLater(const LaterOut& later) const {
  mqtt::Message message(LaterTopic(later.instance, later.caller),
                        std::string(later.fragment != nullptr ? later.fragment->payload() : ""), later.qos);
  Properties& properties = message.properties;
  properties.Reserve(kUsualBytes + later.response_topic.size() + later.correlation_data.size());
  properties.Set(mqtt::property::kMessageExpiryInterval, ExpirySeconds(later.expiry));
  // So that whoever does not know the call can say so.
  properties.Set(mqtt::property::kResponseTopic, later.response_topic);
  properties.Set(mqtt::property::kCorrelationData, later.correlation_data);
  AddFrame(properties, later.frame);
  if (later.fragment != nullptr) AddFragment(properties, *later.fragment);
  return message;
}

mqtt::Message Rpc1::EncodeCancel(const RequestOut& request, std::string_view later_topic) const {
  mqtt::Message message;
  const std::string_view instance = InstanceOf(later_topic, request.caller);
  message.topic_name =
      instance.empty() ? RequestTopic(request, rpc1::kCancelMethod) : LaterTopic(instance, request.caller);
  message.qos = request.qos;
  message.properties.Set(mqtt::property::kMessageExpiryInterval, ExpirySeconds(request.remaining));
  message.properties.Set(mqtt::property::kCorrelationData, request.correlation_data);
  AddText(message.properties, rpc1::kFrame, rpc1::kCancelFrame);
  return message;
}

// The responder's word picks an instance only: a topic outside of our namespace or of
// another caller would let it make us publish anywhere.
std::string_view Rpc1::InstanceOf(std::string_view later_topic, std::string_view caller) const {
  const TopicTail tail = LastThreeLevels(later_topic);
  return tail.first == "u" && IsId(tail.second) && tail.third == caller ? tail.second : std::string_view();
}

mqtt::Message Rpc1::EncodeResponse(const ResponseOut& response, std::string payload) const {
  mqtt::Message message(InboxTopic(response.caller, response.inbox), std::move(payload), response.qos);
  Properties& properties = message.properties;
  properties.Reserve(kUsualBytes + response.instance.size() + rpc1::kMaximumCorrelationBytes);
  properties.Set(mqtt::property::kMessageExpiryInterval, ExpirySeconds(response.remaining));
  // A stream's messages are in the call's type: nothing needs to say so again.
  const bool plain = !response.frame.has_value() || response.frame->kind == Frame::Kind::kEnd;
  if (plain) SetContentType(properties, response.content_type);
  if (response.correlation_data.has_value()) {
    properties.Set(mqtt::property::kCorrelationData, *response.correlation_data);
  }
  if (response.status != nullptr) AddStatus(properties, *response.status);
  if (!response.instance.empty()) AddText(properties, rpc1::kFrom, response.instance);
  if (response.frame.has_value()) {
    AddFrame(properties, *response.frame);
    if (response.frame->kind == Frame::Kind::kAccept) {
      AddText(properties, rpc1::kTo, LaterTopic(response.instance, response.caller));
      AddNumber(properties, rpc1::kMaximumPacket, static_cast<std::int64_t>(response.maximum_packet));
    }
  }
  if (response.fragment != nullptr) AddFragment(properties, *response.fragment);
  if (response.metadata != nullptr) AddMetadata(*response.metadata, properties);
  return message;
}

void Rpc1::SetRemaining(mqtt::Message& response, std::chrono::milliseconds remaining) const {
  response.properties.Set(mqtt::property::kMessageExpiryInterval, ExpirySeconds(remaining));
}

}  // namespace mqttrpc
