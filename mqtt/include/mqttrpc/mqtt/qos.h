// Quality of Service levels (MQTT 4.3).
#pragma once

#include <cstdint>

namespace mqttrpc::mqtt {

enum class QoS : std::uint8_t {
  kAtMostOnce = 0,   // Fire and forget.
  kAtLeastOnce = 1,  // Acknowledged by PUBACK; may arrive twice.
  kExactlyOnce = 2,  // Acknowledged in two steps; arrives once.
};

}  // namespace mqttrpc::mqtt
