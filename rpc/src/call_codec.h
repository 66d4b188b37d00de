// The one place where calls meet MQTT messages: a protocol version implements
// this, everything else in rpc/ is written against it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

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
};

// An answer that arrived. Borrows from the message.
struct ResponseIn {
  ResponseIn() = default;

  std::string_view correlation_data;
  bool terminal = true;          // False: the responder only says that it is at work.
  std::string_view later_topic;  // Where it wants the call's later frames, if it said.
  std::string_view instance;     // Who answered, if it said.
  ContentType content_type = ContentType::kProtobuf;
  WireStatus status;
  Metadata metadata;
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
  // kInvalidArgument: not an answer of this protocol; says why.
  virtual absl::StatusOr<ResponseIn> DecodeResponse(const mqtt::MessageView& message) const = 0;

  // The responder's side.
  virtual std::string InstanceFilter(std::string_view instance) const = 0;
  virtual std::string PoolFilter(std::string_view share_group, std::string_view service) const = 0;
  // kInvalidArgument: must be neither run nor answered; says why.
  virtual absl::StatusOr<RequestIn> DecodeRequest(const mqtt::MessageView& message) const = 0;
  virtual mqtt::Message EncodeResponse(const ResponseOut& response, std::string payload) const = 0;
  // Gives an encoded answer that is sent again the time that is left now.
  virtual void SetRemaining(mqtt::Message& response, std::chrono::milliseconds remaining) const = 0;
};

}  // namespace mqttrpc
