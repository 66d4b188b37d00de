#include "systems/programs.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "report/sample.h"

namespace bench {
namespace {

using mqttrpc::testing::ChildProcess;

Program StartMqttrpcd(std::uint16_t port, int shards) {
  return Program({MQTTRPC_BENCH_MQTTRPCD, "--listen", "mqtt://127.0.0.1:" + std::to_string(port), "--log-level",
                  "error", "--shards", std::to_string(shards)},
                 "listening on ");
}

bool Listens(std::uint16_t port) {
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  asio::error_code error;
  socket.connect({asio::ip::address_v4::loopback(), port}, error);
  return !error;
}

Program StartMosquitto(std::uint16_t port) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("mqttrpc-bench-" + std::to_string(port) + ".conf");
  // No Nagle delay, and no limit that drops what is under way.
  std::ofstream(file) << "listener " << port << " 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
                      << "max_inflight_messages 1024\nmax_queued_messages 0\n"
                      << "log_dest stdout\nlog_type information\nlog_timestamp false\nconnection_messages false\n";
  // stdbuf becomes mosquitto, so that the process stays the same one.
  Program broker({"stdbuf", "-oL", MQTTRPC_BENCH_MOSQUITTO, "-c", file}, "mosquitto version");
  for (int tries = 0; !Listens(port); ++tries) {  // It speaks before it listens.
    if (tries == 1000) throw Void("mosquitto does not listen");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::filesystem::remove(file);
  return broker;
}

}  // namespace

Program::Program(std::vector<std::string> command, std::string_view ready) {
  const std::string name = command.at(0);
  // The shell tells its process id, then becomes the program.
  command.insert(command.begin(), {"sh", "-c", "echo \"pid $$\"; exec \"$@\"", "sh"});
  process_ = std::make_unique<ChildProcess>(std::move(command));
  const std::optional<std::string> pid = process_->WaitForLine("pid ");
  if (pid.has_value()) pid_ = static_cast<pid_t>(std::atoi(pid->c_str()));
  const std::optional<std::string> line = process_->WaitForLine(ready);
  if (!line.has_value()) throw Void(name + " did not get ready");
  ready_line_ = *line;
}

Broker::Broker(std::string_view system)
    : port_(static_cast<std::uint16_t>(mqttrpc::testing::FreePort())),
      program_(system == kMosquitto ? StartMosquitto(port_) : StartMqttrpcd(port_, system == kTwoShards ? 2 : 1)) {}

std::string Broker::url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

Program StartSelf(std::vector<std::string> arguments, std::string_view ready) {
  arguments.insert(arguments.begin(), std::filesystem::read_symlink("/proc/self/exe"));
  return Program(std::move(arguments), ready);
}

}  // namespace bench
