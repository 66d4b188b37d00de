// The brokers and servers that run beside the benchmark.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "support/child_process.h"

namespace bench {

inline constexpr char kMqttrpcd[] = "mqttrpcd";
inline constexpr char kTwoShards[] = "mqttrpcd, 2 shards";
inline constexpr char kMosquitto[] = "mosquitto";

// A program in a process of its own; it ends with this object.
class Program {
 public:
  // Runs `command` and waits for its line that begins with `ready`. Throws Void if
  // that does not come.
  Program(std::vector<std::string> command, std::string_view ready);

  pid_t pid() const { return pid_; }
  const std::string& ready_line() const { return ready_line_; }  // What follows `ready`.

 private:
  std::unique_ptr<mqttrpc::testing::ChildProcess> process_;
  pid_t pid_ = -1;
  std::string ready_line_;
};

// A broker of its own on a free port of loopback.
class Broker {
 public:
  // `system` is kMqttrpcd, with one shard as mosquitto has one thread, kTwoShards or
  // kMosquitto. None drops what the scenarios send: their limits are raised alike, the
  // other settings are the programs' own.
  explicit Broker(std::string_view system);

  pid_t pid() const { return program_.pid(); }
  std::uint16_t port() const { return port_; }
  std::string url() const;

 private:
  std::uint16_t port_;
  Program program_;
};

// This program again, for what has to run in a process of its own: e.g. {"serve-grpc"}.
Program StartSelf(std::vector<std::string> arguments, std::string_view ready);

}  // namespace bench
