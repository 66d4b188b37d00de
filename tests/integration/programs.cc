#include "programs.h"

#include <cstdio>
#include <fstream>
#include <utility>

#include <gtest/gtest.h>

namespace mqttrpc::testing {
namespace {

// Standard output of a pipe is buffered in blocks unless told otherwise.
std::vector<std::string> LineBuffered(std::vector<std::string> command) {
  command.insert(command.begin(), {"stdbuf", "-oL"});
  return command;
}

// In the folder that GoogleTest gives out for such.
std::string ConfigurationPath(int port) { return ::testing::TempDir() + "mosquitto-" + std::to_string(port) + ".conf"; }

std::string MosquittoConfiguration(int port) {
  const std::string path = ConfigurationPath(port);
  std::ofstream file(path);
  file << "listener " << port << " 127.0.0.1\nallow_anonymous true\nlog_dest stdout\nlog_timestamp false\n";
  return path;
}

}  // namespace

BrokerProcess::BrokerProcess(std::vector<std::string> command, std::string_view ready_prefix)
    : process_(std::move(command)), ready_line_(process_.WaitForLine(ready_prefix)) {}

void BrokerProcess::set_url(std::string url) {
  url_ = std::move(url);
  port_ = url_.substr(url_.rfind(':') + 1);
}

Mqttrpcd::Mqttrpcd() : BrokerProcess({MQTTRPC_MQTTRPCD, "--listen", "mqtt://127.0.0.1:0"}, "listening on ") {
  if (ready_line_.has_value()) set_url(*ready_line_);
}

Mosquitto::Mosquitto(int port)
    : BrokerProcess(LineBuffered({MQTTRPC_MOSQUITTO, "-c", MosquittoConfiguration(port)}), "mosquitto version") {
  std::remove(ConfigurationPath(port).c_str());  // It has read it.
  if (ready_line_.has_value()) set_url("mqtt://127.0.0.1:" + std::to_string(port));
}

std::vector<std::string> MosquittoClient(std::string program, const BrokerProcess& broker,
                                         std::vector<std::string> arguments) {
  std::vector<std::string> command{std::move(program), "-V", "5", "-h", "127.0.0.1", "-p", broker.port()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return LineBuffered(std::move(command));
}

std::string ThermostatDevice() { return MQTTRPC_THERMOSTAT_DEVICE; }
std::string ThermostatBackend() { return MQTTRPC_THERMOSTAT_BACKEND; }

}  // namespace mqttrpc::testing
