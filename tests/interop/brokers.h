// Brokers that take small packets only.
#pragma once

#include <cstdint>
#include <string>

#include "integration/programs.h"

namespace mqttrpc::testing {

// Our daemon.
class SmallMqttrpcd : public BrokerProcess {
 public:
  explicit SmallMqttrpcd(std::uint32_t maximum_packet_size);
};

// Debian's mosquitto.
class SmallMosquitto : public BrokerProcess {
 public:
  explicit SmallMosquitto(std::uint32_t maximum_packet_size, int port = FreePort());
};

}  // namespace mqttrpc::testing
