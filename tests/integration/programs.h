// The programs that integration tests start, on free ports of 127.0.0.1.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/child_process.h"

namespace mqttrpc::testing {

// A broker in a process of its own; url() is empty if it did not start.
class BrokerProcess {
 public:
  const std::string& url() const { return url_; }
  const std::string& port() const { return port_; }

 protected:
  BrokerProcess(std::vector<std::string> command, std::string_view ready_prefix);
  ChildProcess& process() { return process_; }
  void set_url(std::string url);

 private:
  ChildProcess process_;

 protected:
  std::optional<std::string> ready_line_;

 private:
  std::string url_;
  std::string port_;
};

// Our daemon.
class Mqttrpcd : public BrokerProcess {
 public:
  Mqttrpcd();
};

// Debian's mosquitto, with default limits.
class Mosquitto : public BrokerProcess {
 public:
  explicit Mosquitto(int port = FreePort());
};

// One of mosquitto's command line clients, speaking MQTT 5 with `broker`. Its
// output comes line by line.
std::vector<std::string> MosquittoClient(std::string program, const BrokerProcess& broker,
                                         std::vector<std::string> arguments);

// The example programs' paths.
std::string ThermostatDevice();
std::string ThermostatBackend();

}  // namespace mqttrpc::testing
