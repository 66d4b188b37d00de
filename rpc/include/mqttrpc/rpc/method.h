// What generated code says about a service: the options of mqttrpc/options.proto, checked, and the
// standard idempotency_level.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "mqttrpc/mqtt/qos.h"

namespace mqttrpc {

// The standard method option idempotency_level.
enum class Idempotency {
  kUnknown,        // May have effects; runs once at most.
  kNoSideEffects,  // Reads only.
  kIdempotent,     // Twice is as good as once.
};

// Which side sends one message, and which any number of them.
enum class MethodKind {
  kUnary,
  kServerStreaming,  // One request, many replies.
  kClientStreaming,  // Many requests, one reply.
  kBidiStreaming,
};

// One method of a service. Lives in static storage.
struct MethodInfo {
  constexpr bool streams_requests() const {
    return kind == MethodKind::kClientStreaming || kind == MethodKind::kBidiStreaming;
  }
  constexpr bool streams_replies() const {
    return kind == MethodKind::kServerStreaming || kind == MethodKind::kBidiStreaming;
  }

  std::string_view name;  // As in the .proto: "SetTarget".
  // 1 ms to 30 days. 0: the channel's default for unary calls; no deadline for streams.
  std::chrono::milliseconds timeout{0};
  // Not 2. Of unary requests and replies; of a stream's messages: with 0 they may be
  // lost, which its reader counts, while the stream itself opens and ends reliably.
  mqtt::QoS qos = mqtt::QoS::kAtLeastOnce;
  Idempotency idempotency = Idempotency::kUnknown;
  MethodKind kind = MethodKind::kUnary;
};

// One service. Lives in static storage.
struct ServiceInfo {
  std::string_view name;  // Full: "acme.lamp.v1.Lamp".
  // Pool members share requests under this name, a ShareName (MQTT 4.8.2); empty: the full name.
  std::string_view share_group{};
  std::span<const MethodInfo> methods;
};

}  // namespace mqttrpc
