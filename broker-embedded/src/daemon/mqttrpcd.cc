// mqttrpcd: the broker as a program of its own.
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include <sys/resource.h>

#include "command_line.h"
#include "mqttrpc/broker/broker.h"
#include "spdlog_sink.h"

namespace mqttrpc::broker {
namespace {

constexpr int kCannotListen = 1;

// Signals that end the daemon; blocked, so that sigwait() gets them.
sigset_t BlockEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // Whoever read our output may be gone.
  return signals;
}

// A connection is a descriptor; the usual soft limit of 1,024 is for programs that use select().
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Run(CommandLine command_line, const sigset_t& end_signals) {
  SpdlogSink log(command_line.log_level);
  command_line.broker.environment.log = &log;
  Broker broker(command_line.broker);
  std::vector<std::string> bound;
  for (const std::string& url : command_line.listen) {
    auto listening = broker.Listen(url);
    if (!listening.ok()) {
      std::cerr << "mqttrpcd: " << listening.status().message() << '\n';
      return kCannotListen;
    }
    bound.push_back(*std::move(listening));
  }
  for (const std::string& url : bound) std::cout << "listening on " << url << '\n';
  std::cout.flush();

  int signal = 0;
  sigwait(&end_signals, &signal);
  if (log.Wants(mqtt::LogLevel::kInfo)) {
    log.Write(mqtt::LogLevel::kInfo, std::string("event=stopping signal=") + (signal == SIGINT ? "SIGINT" : "SIGTERM"));
  }
  broker.Stop();
  return 0;
}

}  // namespace
}  // namespace mqttrpc::broker

int main(int argc, char** argv) {
  const sigset_t end_signals = mqttrpc::broker::BlockEndSignals();
  mqttrpc::broker::CommandLine command_line;
  const auto verdict = mqttrpc::broker::ReadCommandLine(argc, argv, command_line);
  if (!verdict.run) return verdict.exit_status;
  mqttrpc::broker::RaiseDescriptorLimit();
  return mqttrpc::broker::Run(std::move(command_line), end_signals);
}
