// What generated code says about a service.
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

// One method of a service. Lives in static storage.
struct MethodInfo {
  std::string_view name;                    // As in the .proto: "SetTarget".
  std::chrono::milliseconds timeout{0};     // 0: the channel's default.
  mqtt::QoS qos = mqtt::QoS::kAtLeastOnce;  // Of requests and responses; not 2.
  Idempotency idempotency = Idempotency::kUnknown;
};

// One service. Lives in static storage.
struct ServiceInfo {
  std::string_view name;           // Full: "acme.lamp.v1.Lamp".
  std::string_view share_group{};  // Pool members share requests under this name; empty: the full name.
  std::span<const MethodInfo> methods;
};

}  // namespace mqttrpc
