#include "report/conditions.h"

#include <fstream>
#include <thread>

#include <sys/utsname.h>

namespace bench {
namespace {

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string LoadAverage() {
  std::ifstream file("/proc/loadavg");
  std::string minute = "unknown";
  file >> minute;
  return minute;
}

}  // namespace

std::vector<std::string> Conditions() {
  utsname system{};
  uname(&system);
  return {
      ProcessorName() + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores, " + system.sysname + " " +
          system.release,
      std::string("compiled by ") + __VERSION__ + ", " + MQTTRPC_BENCH_BUILD_TYPE,
      "load average of the minute before: " + LoadAverage(),
  };
}

}  // namespace bench
