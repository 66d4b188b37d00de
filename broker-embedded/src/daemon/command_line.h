// What mqttrpcd is told when it is started.
#pragma once

#include <string>
#include <vector>

#include "mqttrpc/broker/options.h"
#include "mqttrpc/mqtt/log.h"

namespace mqttrpc::broker {

struct CommandLine {
  CommandLine() = default;

  std::vector<std::string> listen{"mqtt://127.0.0.1:1883"};
  bool allow_anonymous = false;
  mqtt::LogLevel log_level = mqtt::LogLevel::kInfo;
  BrokerOptions broker;
};

// What to do after the command line was read.
struct Verdict {
  bool run = false;
  int exit_status = 0;  // If not to run: 0 after --help and --version, 2 after a mistake.
};

// Prints help and version to stdout, mistakes to stderr.
Verdict ReadCommandLine(int argc, char** argv, CommandLine& into);

}  // namespace mqttrpc::broker
