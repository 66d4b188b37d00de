// The wire protocol rpc1: docs/protocol.md.
#pragma once

#include <string>
#include <string_view>

#include "call_codec.h"

namespace mqttrpc {

// User property names of rpc1.
namespace rpc1 {
inline constexpr std::string_view kFrame = "rpc-f";
inline constexpr std::string_view kTimeout = "rpc-tmo";
inline constexpr std::string_view kStatus = "rpc-status";
inline constexpr std::string_view kText = "rpc-msg";
inline constexpr std::string_view kOutcome = "rpc-x";
inline constexpr std::string_view kRetry = "rpc-retry";
inline constexpr std::string_view kFrom = "rpc-from";
inline constexpr std::string_view kTo = "rpc-to";
inline constexpr std::string_view kAttempt = "rpc-att";
inline constexpr std::string_view kMaximumPacket = "rpc-mps";
inline constexpr std::string_view kLength = "rpc-len";
inline constexpr std::string_view kChecksum = "rpc-crc";
inline constexpr std::string_view kAccept = "rpc-ack";
inline constexpr std::string_view kIdle = "rpc-idle";
inline constexpr std::string_view kEncoding = "rpc-enc";
inline constexpr std::string_view kSecurity = "rpc-sec";

inline constexpr std::string_view kCancelFrame = "c";
inline constexpr std::string_view kCancelMethod = "-cancel";
inline constexpr std::string_view kProtobufType = "application/protobuf";
inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::size_t kMaximumCorrelationBytes = 64;
}  // namespace rpc1

class Rpc1 final : public CallCodec {
 public:
  // `name_space` was checked by CheckNameSpace().
  explicit Rpc1(std::string_view name_space);

  std::string InboxTopic(std::string_view caller, std::string_view inbox) const override;
  mqtt::Message EncodeRequest(const RequestOut& request, std::string payload) const override;
  mqtt::Message EncodeCancel(const RequestOut& request, std::string_view later_topic) const override;
  mqtt::Message EncodeLater(const LaterOut& later) const override;
  std::string_view InstanceOf(std::string_view later_topic, std::string_view caller) const override;
  absl::StatusOr<ResponseIn> DecodeResponse(const mqtt::MessageView& message) const override;

  std::string InstanceFilter(std::string_view instance) const override;
  std::string PoolFilter(std::string_view share_group, std::string_view service) const override;
  std::string LaterFilter(std::string_view instance) const override;
  bool IsLater(const mqtt::MessageView& message) const override;
  absl::StatusOr<LaterIn> DecodeLater(const mqtt::MessageView& message) const override;
  absl::StatusOr<RequestIn> DecodeRequest(const mqtt::MessageView& message) const override;
  mqtt::Message EncodeResponse(const ResponseOut& response, std::string payload) const override;
  void SetRemaining(mqtt::Message& response, std::chrono::milliseconds remaining) const override;

 private:
  std::string RequestTopic(const RequestOut& request, std::string_view method) const;
  std::string LaterTopic(std::string_view instance, std::string_view caller) const;

  const std::string name_space_;
  const std::string request_prefix_;   // "{ns}/q/"
  const std::string response_prefix_;  // "{ns}/r/"
  const std::string later_prefix_;     // "{ns}/u/"
};

}  // namespace mqttrpc
