// The one place where calls meet MQTT messages: a protocol version implements
// this, everything else in rpc/ is written against it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "fragment.h"
#include "frame.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/rpc/call_options.h"
#include "mqttrpc/rpc/method.h"
#include "status_wire.h"

namespace mqttrpc {

// How long any call may take; also what a peer's larger number counts as.
inline constexpr std::chrono::milliseconds kMaximumTimeout = std::chrono::hours(24 * 30);

// A request to send, or the cancellation of one. Borrows.
struct RequestOut {
  RequestOut() = default;

  std::string_view service;
  std::string_view target;
  std::string_view method;
  std::string_view caller;
  std::string_view response_topic;  // Empty: one-way.
  std::string_view correlation_data;
  mqtt::QoS qos = mqtt::QoS::kAtLeastOnce;
  ContentType content_type = ContentType::kProtobuf;
  std::chrono::milliseconds remaining{0};
  int attempt = 1;
  const Metadata* metadata = nullptr;

  // Of calls that are more than a plain message.
  std::optional<Frame> frame;           // kOpen; empty: a plain message.
  std::optional<std::uint64_t> length;  // Of the message that the frame begins.
  std::size_t maximum_packet = 0;       // What we take for this call, in bytes; 0: said by nobody.
  std::chrono::milliseconds accept{0};  // The responder says that it is at work after this; 0: it need not.
  std::chrono::milliseconds idle{0};    // We ping so often; 0: never.
};

// A request that arrived, or the cancellation of one. Borrows from the message.
struct RequestIn {
  RequestIn() = default;

  std::string_view service;
  std::string_view target;
  std::string_view method;
  std::string_view caller;
  std::string_view inbox;                            // Empty: one-way.
  std::optional<std::string_view> correlation_data;  // Plain callers may do without.
  bool cancel = false;                               // Ends the call of this correlation data.
  ContentType content_type = ContentType::kProtobuf;
  std::optional<std::chrono::milliseconds> remaining;  // At arrival; empty: it names no time.
  int attempt = 1;
  Metadata metadata;
  std::optional<Frame> frame;  // kOpen; empty: a plain message.
  FragmentIn fragment;         // The payload, as a fragment.
  std::optional<std::size_t> maximum_packet;
  std::optional<std::chrono::milliseconds> accept, idle;
  absl::Status refusal;  // Not OK: to be answered with this, and not executed.
};

// An answer to send. Borrows.
struct ResponseOut {
  ResponseOut() = default;

  std::string_view caller;
  std::string_view inbox;
  std::optional<std::string_view> correlation_data;
  std::string_view instance;
  mqtt::QoS qos = mqtt::QoS::kAtLeastOnce;
  ContentType content_type = ContentType::kProtobuf;
  std::chrono::milliseconds remaining{0};
  const WireStatus* status = nullptr;
  const Metadata* metadata = nullptr;

  std::optional<Frame> frame;             // Empty: a plain answer.
  const FragmentOut* fragment = nullptr;  // Of kMessage and kEnd.
  std::size_t maximum_packet = 0;         // Of kAccept.
};

// An answer that arrived. Borrows from the message.
struct ResponseIn {
  ResponseIn() = default;

  std::string_view correlation_data;
  std::optional<Frame> frame;  // Empty: a plain answer, which ends the call.
  FragmentIn fragment;         // The payload, as a fragment.
  std::optional<std::size_t> maximum_packet;
  std::string_view later_topic;  // Where it wants the call's later frames, if it said.
  std::string_view instance;     // Who answered, if it said.
  ContentType content_type = ContentType::kProtobuf;
  WireStatus status;
  Metadata metadata;
  absl::Status broken;  // Not OK: what it says of its frame does not parse.
};

// A frame of the caller after the opening one, to send. Borrows.
struct LaterOut {
  LaterOut() = default;

  std::string_view instance;
  std::string_view caller;
  std::string_view response_topic;
  std::string_view correlation_data;
  mqtt::QoS qos = mqtt::QoS::kAtLeastOnce;
  std::chrono::milliseconds expiry{0};
  Frame frame;
  const FragmentOut* fragment = nullptr;  // Of kMessage and kEnd.
};

// Such a frame that arrived. Borrows from the message.
struct LaterIn {
  LaterIn() = default;

  std::string_view instance;
  std::string_view caller;
  std::string_view inbox;  // Empty: it did not say.
  std::string_view correlation_data;
  Frame frame;
  FragmentIn fragment;
  absl::Status broken;  // Not OK: the frame does not parse; the call ends with it.
};

// Thread-safe: has no state but its namespace.
class CallCodec {
 public:
  virtual ~CallCodec() = default;

  // The caller's side.
  virtual std::string InboxTopic(std::string_view caller, std::string_view inbox) const = 0;
  virtual mqtt::Message EncodeRequest(const RequestOut& request, std::string payload) const = 0;
  // `later_topic`: what the responder said, or empty.
  virtual mqtt::Message EncodeCancel(const RequestOut& request, std::string_view later_topic) const = 0;
  virtual mqtt::Message EncodeLater(const LaterOut& later) const = 0;
  // The instance that a responder wants the call's later frames sent to; empty if what it
  // said is no topic of ours for this caller.
  virtual std::string_view InstanceOf(std::string_view later_topic, std::string_view caller) const = 0;
  // kInvalidArgument: not an answer of this protocol; says why.
  virtual absl::StatusOr<ResponseIn> DecodeResponse(const mqtt::MessageView& message) const = 0;

  // The responder's side.
  virtual std::string InstanceFilter(std::string_view instance) const = 0;
  virtual std::string PoolFilter(std::string_view share_group, std::string_view service) const = 0;
  virtual std::string LaterFilter(std::string_view instance) const = 0;
  // Whether it goes to DecodeLater(); else to DecodeRequest().
  virtual bool IsLater(const mqtt::MessageView& message) const = 0;
  // kInvalidArgument: to be passed over; says why.
  virtual absl::StatusOr<LaterIn> DecodeLater(const mqtt::MessageView& message) const = 0;
  // kInvalidArgument: must be neither run nor answered; says why.
  virtual absl::StatusOr<RequestIn> DecodeRequest(const mqtt::MessageView& message) const = 0;
  virtual mqtt::Message EncodeResponse(const ResponseOut& response, std::string payload) const = 0;
  // Gives an encoded answer that is sent again the time that is left now.
  virtual void SetRemaining(mqtt::Message& response, std::chrono::milliseconds remaining) const = 0;
};

}  // namespace mqttrpc
