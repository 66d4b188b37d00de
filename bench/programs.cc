#include "programs.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <utility>

namespace bench {

using mqttrpc::testing::ChildProcess;

Program Start(std::vector<std::string> command, std::string_view ready, std::string& ready_line) {
  auto program = std::make_unique<ChildProcess>(std::move(command));
  const std::optional<std::string> line = program->WaitForLine(ready);
  if (!line.has_value()) {
    std::cerr << "mqttrpc-bench: " << program->program() << " did not get ready\n";
    std::exit(1);
  }
  ready_line = *line;
  return program;
}

Program StartMqttrpcd(std::string& url) {
  return Start({MQTTRPC_BENCH_MQTTRPCD, "--listen", "mqtt://127.0.0.1:0", "--log-level", "error"}, "listening on ",
               url);
}

Program StartMosquitto(std::string& url) {
  const std::string port = std::to_string(mqttrpc::testing::FreePort());
  const std::filesystem::path file = std::filesystem::temp_directory_path() / ("mqttrpc-bench-" + port + ".conf");
  // No Nagle delay, and limits that do not drop what a window of 256 needs.
  std::ofstream(file) << "listener " << port << " 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
                      << "max_inflight_messages 1024\nmax_queued_messages 0\n"
                      << "log_dest stdout\nlog_type information\nlog_timestamp false\nconnection_messages false\n";
  url = "mqtt://127.0.0.1:" + port;
  std::string ready_line;
  Program broker = Start({"stdbuf", "-oL", MQTTRPC_BENCH_MOSQUITTO, "-c", file}, "mosquitto version", ready_line);
  std::filesystem::remove(file);
  return broker;
}

}  // namespace bench
