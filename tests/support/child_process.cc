#include "child_process.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mqttrpc::testing {
namespace {

using Clock = std::chrono::steady_clock;

// A file in memory that holds `text`, to be read from its beginning.
int FileWith(std::string_view text) {
  const int file = memfd_create("input", MFD_CLOEXEC);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
  lseek(file, 0, SEEK_SET);
  return file;
}

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

}  // namespace

ChildProcess::ChildProcess(std::vector<std::string> command, std::string_view input) : program_(command.at(0)) {
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  const int standard_input = FileWith(input);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  pid_ = fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {  // Only async-signal-safe calls from here.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(standard_input, STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(standard_input);
  close(ends[1]);
  output_ = ends[0];
}

ChildProcess::~ChildProcess() {
  if (!status_.has_value()) {
    Signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(output_);
}

bool ChildProcess::ReadSome(Clock::time_point deadline) {
  pollfd wait{output_, POLLIN, 0};
  if (poll(&wait, 1, MillisecondsUntil(deadline)) <= 0) return false;
  char buffer[4096];
  const ssize_t size = read(output_, buffer, sizeof(buffer));
  if (size <= 0) return false;
  unread_.append(buffer, static_cast<std::size_t>(size));
  return true;
}

std::optional<std::string> ChildProcess::WaitForLine(std::string_view prefix) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  for (;;) {
    std::size_t end;
    while ((end = unread_.find('\n')) != std::string::npos) {
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      if (line.starts_with(prefix)) return line.substr(prefix.size());
    }
    if (!ReadSome(deadline)) return std::nullopt;
  }
}

std::string ChildProcess::ReadRest() {
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (ReadSome(deadline)) {
  }
  return std::exchange(unread_, std::string());
}

void ChildProcess::Signal(int number) {
  if (!status_.has_value()) kill(pid_, number);
}

int ChildProcess::Wait() {
  if (status_.has_value()) return *status_;
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (ReadSome(deadline)) {
  }
  int status = 0;
  // Its output has ended, or it hangs: either way it gets no more time than the deadline.
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (Clock::now() >= deadline) {
      kill(pid_, SIGKILL);
      waitpid(pid_, &status, 0);
      status_ = -1;
      return -1;
    }
    poll(nullptr, 0, 1);
  }
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return *status_;
}

int FreePort() {
  const int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (file < 0 || bind(file, reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
  getsockname(file, reinterpret_cast<sockaddr*>(&address), &size);
  close(file);
  return ntohs(address.sin_port);
}

}  // namespace mqttrpc::testing
