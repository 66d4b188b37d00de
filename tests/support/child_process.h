// Programs run beside a test or a benchmark.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace mqttrpc::testing {

// A running program, its standard output read line by line, its standard error
// beside ours. Killed by the destructor, and by the kernel if this process dies.
// Used from one thread.
class ChildProcess {
 public:
  // How long anything may take before it counts as hung: long, for slow machines.
  static constexpr std::chrono::seconds kPatience{20};

  // Runs `command`, found by PATH. `input` is its whole standard input.
  explicit ChildProcess(std::vector<std::string> command, std::string_view input = "");
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The rest of the next line of output that begins with `prefix`; lines before
  // it are passed over. Empty if the output ended or kPatience passed without one.
  std::optional<std::string> WaitForLine(std::string_view prefix);

  // All output that was not read yet, to its end.
  std::string ReadRest();

  void Signal(int number);

  // The exit status, or 128 plus the signal that ended it; -1 (and killed) if it
  // is still running after kPatience. Reads and keeps the output meanwhile.
  int Wait();

  const std::string& program() const { return program_; }

 private:
  // Reads what is there within the time left; false at the end of output or of time.
  bool ReadSome(std::chrono::steady_clock::time_point deadline);

  std::string program_;
  pid_t pid_ = -1;
  int output_ = -1;
  std::string unread_;
  std::optional<int> status_;
};

// A TCP port of 127.0.0.1 that was free a moment ago, for programs that cannot
// be asked to choose one themselves.
int FreePort();

}  // namespace mqttrpc::testing
