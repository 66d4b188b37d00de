#include <algorithm>
#include <charconv>

#include <absl/strings/str_cat.h>

#include "metadata_wire.h"
#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"
#include "names.h"
#include "rpc1.h"
#include "text.h"
#include "topic_levels.h"

namespace mqttrpc {
namespace {

using mqtt::PropertyId;
using mqtt::PropertyView;
using mqtt::ToAbsl;
using mqtt::UserPropertyView;
using std::chrono::milliseconds;

// What a message's properties say, before it is judged. The first of repeated
// properties counts.
struct Heading {
  std::optional<std::string_view> content_type;
  std::optional<std::string_view> response_topic;
  std::optional<std::string_view> correlation_data;
  std::optional<std::uint32_t> expiry_seconds;
  std::optional<std::string_view> frame, timeout, status, text, outcome, retry, from, to, attempt;
  std::optional<std::string_view> maximum_packet, length, checksum, accept, idle;
  bool transformed = false;  // rpc-enc or rpc-sec: the payload is not what it seems.
  absl::Status metadata_status;
  Metadata metadata;
  std::size_t metadata_bytes = 0;
};

void Keep(std::optional<std::string_view>& into, std::string_view value) {
  if (!into.has_value()) into = value;
}

// Ours that are not known here are passed over: a later version may send them.
void TakeOurs(UserPropertyView property, Heading& heading) {
  if (property.name == rpc1::kTimeout) return Keep(heading.timeout, property.value);
  if (property.name == rpc1::kFrom) return Keep(heading.from, property.value);
  if (property.name == rpc1::kStatus) return Keep(heading.status, property.value);
  if (property.name == rpc1::kText) return Keep(heading.text, property.value);
  if (property.name == rpc1::kOutcome) return Keep(heading.outcome, property.value);
  if (property.name == rpc1::kRetry) return Keep(heading.retry, property.value);
  if (property.name == rpc1::kAttempt) return Keep(heading.attempt, property.value);
  if (property.name == rpc1::kFrame) return Keep(heading.frame, property.value);
  if (property.name == rpc1::kTo) return Keep(heading.to, property.value);
  if (property.name == rpc1::kMaximumPacket) return Keep(heading.maximum_packet, property.value);
  if (property.name == rpc1::kLength) return Keep(heading.length, property.value);
  if (property.name == rpc1::kChecksum) return Keep(heading.checksum, property.value);
  if (property.name == rpc1::kAccept) return Keep(heading.accept, property.value);
  if (property.name == rpc1::kIdle) return Keep(heading.idle, property.value);
  if (property.name == rpc1::kEncoding || property.name == rpc1::kSecurity) heading.transformed = true;
}

// Kept as long as the call runs, so a peer must not make it large.
absl::Status TooMuchMetadata(Heading& heading, const PropertyView& property) {
  constexpr std::size_t kMaximumEntries = 128;
  constexpr std::size_t kMaximumBytes = 32 * 1024;
  heading.metadata_bytes += property.text.size() + property.value.size();
  if (heading.metadata.size() < kMaximumEntries && heading.metadata_bytes <= kMaximumBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("metadata has over ", kMaximumEntries, " entries or ", kMaximumBytes, " bytes"));
}

Heading ReadHeading(const mqtt::PropertiesView& properties) {
  Heading heading;
  properties.ForEach([&heading](const PropertyView& each) {
    switch (each.id) {
      case PropertyId::kContentType: return Keep(heading.content_type, each.text);
      case PropertyId::kResponseTopic: return Keep(heading.response_topic, each.text);
      case PropertyId::kCorrelationData: return Keep(heading.correlation_data, each.text);
      case PropertyId::kMessageExpiryInterval: heading.expiry_seconds = each.number; return;
      case PropertyId::kUserProperty: break;
      default: return;
    }
    if (each.text.starts_with(kReservedPrefix)) return TakeOurs({each.text, each.value}, heading);
    absl::Status taken = TooMuchMetadata(heading, each);
    if (taken.ok()) taken = TakeMetadata({each.text, each.value}, heading.metadata);
    if (!taken.ok() && heading.metadata_status.ok()) heading.metadata_status = std::move(taken);
  });
  return heading;
}

// Media types compare without case; parameters ("; charset=utf-8") say nothing here.
bool IsMediaType(std::string_view value, std::string_view type) {
  if (value == type) return true;
  value = value.substr(0, value.find(';'));
  while (value.ends_with(' ')) value.remove_suffix(1);
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(value.begin(), value.end(), type.begin(), type.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

// Empty: a type that is neither of ours.
std::optional<ContentType> ContentTypeOf(const Heading& heading, std::string_view payload) {
  if (!heading.content_type.has_value() || heading.content_type->empty()) {
    // 0x7B never opens a proto3 message: it would be a group.
    return payload.starts_with('{') ? ContentType::kJson : ContentType::kProtobuf;
  }
  if (IsMediaType(*heading.content_type, rpc1::kProtobufType)) return ContentType::kProtobuf;
  if (IsMediaType(*heading.content_type, rpc1::kJsonType)) return ContentType::kJson;
  return std::nullopt;
}

// The time the caller still waits: what it said, less the whole seconds that
// brokers held the request, which they subtract from Message Expiry (MQTT-3.3.2-6).
std::optional<milliseconds> RemainingOf(std::optional<milliseconds> timeout, std::optional<std::uint32_t> expiry) {
  const auto seconds = [](std::uint32_t n) { return std::chrono::seconds(n); };
  if (!timeout.has_value()) {
    if (!expiry.has_value()) return std::nullopt;
    return std::min<milliseconds>(seconds(*expiry), kMaximumTimeout);
  }
  if (!expiry.has_value()) return timeout;
  const auto sent = std::chrono::ceil<std::chrono::seconds>(*timeout);
  const auto held = std::max(sent - seconds(*expiry), std::chrono::seconds(0));
  return *timeout - held;
}

absl::Status CheckResponseTopic(std::string_view response_topic, std::string_view caller) {
  if (!mqtt::CheckTopicName(response_topic).ok() || response_topic.starts_with('$')) {
    return absl::InvalidArgumentError(absl::StrCat("Response Topic ", Quoted(response_topic), " is not allowed"));
  }
  const TopicTail tail = LastThreeLevels(response_topic);
  if (tail.first != "r" || tail.second != caller || !IsId(tail.third)) {
    return absl::InvalidArgumentError(
        absl::StrCat("Response Topic ", Quoted(response_topic), " is not an inbox of caller ", Quoted(caller)));
  }
  return absl::OkStatus();
}

absl::Status NoNumber(std::string_view name, std::string_view value) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(name), " ", Quoted(value), " is not a number"));
}

// `into` stays empty if the property is not there.
template <typename Number>
absl::Status ReadNumber(std::string_view name, std::optional<std::string_view> value, std::optional<Number>& into) {
  if (!value.has_value()) return absl::OkStatus();
  const auto number = ParseNumber<std::uint64_t>(*value);
  if (!number.has_value() || *number > kMaximumSequence) return NoNumber(name, *value);
  into = static_cast<Number>(*number);
  return absl::OkStatus();
}

absl::Status ReadDuration(std::string_view name, std::optional<std::string_view> value,
                          std::optional<milliseconds>& into) {
  std::optional<std::int64_t> number;
  if (absl::Status status = ReadNumber(name, value, number); !status.ok()) return status;
  if (number.has_value()) into = std::min(milliseconds(*number), kMaximumTimeout);
  return absl::OkStatus();
}

// What the message says of its frame and of the fragment in it.
absl::Status ReadFrame(const Heading& heading, std::string_view payload, std::optional<Frame>& frame,
                       FragmentIn& fragment) {
  fragment.payload = payload;
  if (heading.frame.has_value()) {
    frame = ParseFrame(*heading.frame);
    if (!frame.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("rpc-f ", Quoted(*heading.frame), " is no frame"));
    }
    fragment.more = frame->more;
    const bool has_sequence = frame->kind == Frame::Kind::kMessage || frame->kind == Frame::Kind::kEnd;
    if (has_sequence) fragment.sequence = frame->number;
  }
  if (absl::Status status = ReadNumber(rpc1::kLength, heading.length, fragment.length); !status.ok()) return status;
  if (heading.checksum.has_value()) {
    std::uint32_t checksum = 0;
    const std::string_view text = *heading.checksum;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), checksum, 16);
    if (error != std::errc() || end != text.data() + text.size()) return NoNumber(rpc1::kChecksum, text);
    fragment.checksum = checksum;
  }
  return absl::OkStatus();
}

// Reads what a request says; the first thing wrong with it becomes the refusal.
void Judge(const Heading& heading, std::string_view payload, RequestIn& request) {
  const auto refuse = [&request](absl::StatusCode code, absl::string_view text) {
    if (request.refusal.ok()) request.refusal = absl::Status(code, text);
  };
  if (request.correlation_data.has_value() && request.correlation_data->size() > rpc1::kMaximumCorrelationBytes) {
    refuse(absl::StatusCode::kInvalidArgument,
           absl::StrCat("Correlation Data has ", request.correlation_data->size(), " bytes; at most 64 are allowed"));
  }
  const std::optional<ContentType> content_type = ContentTypeOf(heading, payload);
  request.content_type = content_type.value_or(ContentType::kProtobuf);
  if (!content_type.has_value()) {
    refuse(absl::StatusCode::kInvalidArgument, absl::StrCat("Content Type ", Quoted(*heading.content_type),
                                                            " is neither application/protobuf nor application/json"));
  }
  std::optional<milliseconds> timeout;
  if (heading.timeout.has_value()) {
    const auto number = ParseNumber<std::uint64_t>(*heading.timeout);
    if (!number.has_value()) {
      refuse(absl::StatusCode::kInvalidArgument,
             absl::StrCat("rpc-tmo ", Quoted(*heading.timeout), " is not a number of milliseconds"));
    } else {
      timeout = milliseconds(std::min<std::uint64_t>(*number, kMaximumTimeout.count()));
    }
  }
  request.remaining = RemainingOf(timeout, heading.expiry_seconds);
  if (heading.attempt.has_value()) {
    const auto number = ParseNumber<int>(*heading.attempt);
    if (!number.has_value() || *number < 1) {
      refuse(absl::StatusCode::kInvalidArgument,
             absl::StrCat("rpc-att ", Quoted(*heading.attempt), " is not a number from 1"));
    }
    request.attempt = std::max(number.value_or(1), 1);
  }
  if (heading.transformed) refuse(absl::StatusCode::kUnimplemented, "rpc-enc and rpc-sec are not served");
  absl::Status framing = ReadFrame(heading, payload, request.frame, request.fragment);
  if (framing.ok()) framing = ReadNumber(rpc1::kMaximumPacket, heading.maximum_packet, request.maximum_packet);
  if (framing.ok()) framing = ReadDuration(rpc1::kAccept, heading.accept, request.accept);
  if (framing.ok()) framing = ReadDuration(rpc1::kIdle, heading.idle, request.idle);
  if (framing.ok() && request.frame.has_value() && request.frame->kind != Frame::Kind::kOpen) {
    framing = absl::InvalidArgumentError(absl::StrCat("rpc-f ", request.frame->Text(), " opens no call"));
  }
  if (!framing.ok()) refuse(framing.code(), framing.message());
  if (request.method.starts_with('-')) {
    refuse(absl::StatusCode::kUnimplemented,
           absl::StrCat("reserved method ", Quoted(request.method), " is not served"));
  }
  if (!heading.metadata_status.ok()) {
    refuse(heading.metadata_status.code(), heading.metadata_status.message());
  }
}

// rpc-x; anything else says nothing.
std::optional<Outcome> OutcomeOf(std::optional<std::string_view> text) {
  if (text == "n") return Outcome::kNotExecuted;
  if (text == "p") return Outcome::kPerhaps;
  if (text == "y") return Outcome::kExecuted;
  return std::nullopt;
}

WireStatus StatusOf(const Heading& heading) {
  WireStatus status;
  status.outcome = OutcomeOf(heading.outcome);
  status.text = std::string(heading.text.value_or(""));
  if (heading.retry.has_value()) {
    if (const auto wait = ParseNumber<std::int64_t>(*heading.retry)) {
      status.retry_after = milliseconds(std::clamp<std::int64_t>(*wait, -1, kMaximumTimeout.count()));
    }
  }
  const auto broken = [&status](std::string text) {
    status.code = static_cast<int>(absl::StatusCode::kInternal);
    status.text = std::move(text);
  };
  if (heading.status.has_value()) {
    const auto code = ParseNumber<int>(*heading.status);
    if (code.has_value() && *code >= 0 && *code <= 16) {
      status.code = *code;
    } else {
      broken(absl::StrCat("the answer's rpc-status ", Quoted(*heading.status), " is not 0-16"));
    }
  }
  if (status.code == 0 && heading.transformed) broken("the answer has rpc-enc or rpc-sec, which are not understood");
  if (status.code == 0 && !heading.metadata_status.ok()) broken(std::string(heading.metadata_status.message()));
  return status;
}

}  // namespace

absl::StatusOr<RequestIn> Rpc1::DecodeRequest(const mqtt::MessageView& message) const {
  if (message.retain) return absl::InvalidArgumentError("a request must not be retained");
  if (!message.topic_name.starts_with(request_prefix_)) return absl::InvalidArgumentError("not a request topic");
  const auto levels = FourLevels(message.topic_name.substr(request_prefix_.size()));
  if (!levels.has_value()) return absl::InvalidArgumentError("not a request topic");
  RequestIn request;
  request.service = (*levels)[0];
  request.target = (*levels)[1];
  request.method = (*levels)[2];
  request.caller = (*levels)[3];
  if (!IsId(request.caller)) return absl::InvalidArgumentError("the caller's id is not [A-Za-z0-9_.-]{1,64}");

  Heading heading = ReadHeading(message.properties);
  request.correlation_data = heading.correlation_data;
  if (request.method == rpc1::kCancelMethod) {
    if (heading.frame != rpc1::kCancelFrame || !request.correlation_data.has_value()) {
      return absl::InvalidArgumentError("a cancellation without rpc-f c and Correlation Data");
    }
    request.cancel = true;
    return request;
  }
  if (heading.response_topic.has_value()) {
    absl::Status status = CheckResponseTopic(*heading.response_topic, request.caller);
    if (!status.ok()) return status;
    request.inbox = LastThreeLevels(*heading.response_topic).third;
  }
  Judge(heading, message.payload, request);
  request.metadata = std::move(heading.metadata);
  return request;
}

bool Rpc1::IsLater(const mqtt::MessageView& message) const { return message.topic_name.starts_with(later_prefix_); }

absl::StatusOr<LaterIn> Rpc1::DecodeLater(const mqtt::MessageView& message) const {
  if (message.retain) return absl::InvalidArgumentError("a frame must not be retained");
  const std::string_view tail = message.topic_name.substr(later_prefix_.size());
  const std::size_t slash = tail.find('/');
  LaterIn later;
  later.instance = tail.substr(0, slash);
  if (slash != std::string_view::npos) later.caller = tail.substr(slash + 1);
  if (!IsId(later.caller)) return absl::InvalidArgumentError("the caller's id is not [A-Za-z0-9_.-]{1,64}");
  const Heading heading = ReadHeading(message.properties);
  if (!heading.correlation_data.has_value()) return absl::InvalidArgumentError("a frame without Correlation Data");
  later.correlation_data = *heading.correlation_data;
  if (later.correlation_data.size() > rpc1::kMaximumCorrelationBytes) {
    return absl::InvalidArgumentError("a frame with Correlation Data of over 64 bytes");
  }
  if (heading.response_topic.has_value()) {
    absl::Status status = CheckResponseTopic(*heading.response_topic, later.caller);
    if (!status.ok()) return status;
    later.inbox = LastThreeLevels(*heading.response_topic).third;
  }
  std::optional<Frame> frame;
  later.broken = ReadFrame(heading, message.payload, frame, later.fragment);
  if (frame.has_value()) {
    later.frame = *frame;
  } else if (later.broken.ok()) {
    later.broken = absl::InvalidArgumentError("a later frame without rpc-f");
  }
  return later;
}

absl::StatusOr<ResponseIn> Rpc1::DecodeResponse(const mqtt::MessageView& message) const {
  Heading heading = ReadHeading(message.properties);
  if (!heading.correlation_data.has_value()) return absl::InvalidArgumentError("an answer without Correlation Data");
  ResponseIn response;
  response.correlation_data = *heading.correlation_data;
  response.instance = heading.from.value_or("");
  response.later_topic = heading.to.value_or("");
  response.broken = ReadFrame(heading, message.payload, response.frame, response.fragment);
  if (response.broken.ok()) {
    response.broken = ReadNumber(rpc1::kMaximumPacket, heading.maximum_packet, response.maximum_packet);
  }
  if (response.broken.ok() && response.frame.has_value()) response.broken = heading.metadata_status;
  response.status = StatusOf(heading);
  response.content_type = ContentTypeOf(heading, message.payload).value_or(ContentType::kProtobuf);
  response.metadata = std::move(heading.metadata);
  return response;
}

}  // namespace mqttrpc
