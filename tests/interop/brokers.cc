#include "brokers.h"

#include <cstdio>
#include <fstream>

#include <gtest/gtest.h>

namespace mqttrpc::testing {
namespace {

std::string ConfigurationPath(int port) {
  return ::testing::TempDir() + "small-mosquitto-" + std::to_string(port) + ".conf";
}

std::string Configuration(std::uint32_t maximum_packet_size, int port) {
  const std::string path = ConfigurationPath(port);
  std::ofstream file(path);
  file << "listener " << port << " 127.0.0.1\nallow_anonymous true\nlog_dest stdout\nlog_timestamp false\n"
       << "max_packet_size " << maximum_packet_size << '\n';
  return path;
}

}  // namespace

SmallMqttrpcd::SmallMqttrpcd(std::uint32_t maximum_packet_size)
    : BrokerProcess({MQTTRPC_MQTTRPCD, "--listen", "mqtt://127.0.0.1:0", "--max-packet-size",
                     std::to_string(maximum_packet_size)},
                    "listening on ") {
  if (ready_line_.has_value()) set_url(*ready_line_);
}

// Its standard output would else come in blocks.
SmallMosquitto::SmallMosquitto(std::uint32_t maximum_packet_size, int port)
    : BrokerProcess({"stdbuf", "-oL", MQTTRPC_MOSQUITTO, "-c", Configuration(maximum_packet_size, port)},
                    "mosquitto version") {
  std::remove(ConfigurationPath(port).c_str());  // It has read it.
  if (ready_line_.has_value()) set_url("mqtt://127.0.0.1:" + std::to_string(port));
}

}  // namespace mqttrpc::testing
