#include "report/process_usage.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>
#include <system_error>

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bench {
namespace {

std::string FolderOf(pid_t process) { return "/proc/" + std::to_string(process); }

// The tracepoint's number; 0 if it may not be read.
std::uint64_t SystemCallEvent() {
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    std::ifstream file(std::string(root) + "/events/raw_syscalls/sys_enter/id");
    std::uint64_t id = 0;
    if (file >> id) return id;
  }
  return 0;
}

int OpenEvent(pid_t thread) {
  static const std::uint64_t id = SystemCallEvent();
  if (id == 0) {
    errno = EACCES;
    return -1;
  }
  perf_event_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = id;
  attributes.inherit = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

std::string TryToCount() {
  const int event = OpenEvent(0);
  if (event < 0) return std::string("system calls are not counted: perf_event_open: ") + std::strerror(errno);
  close(event);
  return "";
}

// A size in /proc/PID/status.
double StatusBytes(pid_t process, std::string_view field) {
  std::ifstream status(FolderOf(process) + "/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == field && status >> kilobytes) return kilobytes * 1024;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::chrono::nanoseconds CpuTimeOf(pid_t process) {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

double MemoryOf(pid_t process) {
  std::ifstream rollup(FolderOf(process) + "/smaps_rollup");
  for (std::string word; rollup >> word;) {
    double kilobytes = 0;
    if (word == "Pss:" && rollup >> kilobytes) return kilobytes * 1024;
  }
  std::ifstream statm(FolderOf(process) + "/statm");
  double total = 0;
  double resident = 0;
  if (statm >> total >> resident) return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
  return std::numeric_limits<double>::quiet_NaN();
}

double PeakMemoryOf(pid_t process) { return StatusBytes(process, "VmHWM:"); }

double AllocatedMemoryOf(pid_t process) { return StatusBytes(process, "RssAnon:"); }

SystemCallCounter::SystemCallCounter(pid_t process) {
  if (!WhyNot().empty()) return;
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator(FolderOf(process) + "/task", error)) {
    const int event = OpenEvent(static_cast<pid_t>(std::atoi(thread.path().filename().c_str())));
    if (event >= 0) events_.push_back(event);
  }
}

SystemCallCounter::~SystemCallCounter() {
  for (const int event : events_) close(event);
}

double SystemCallCounter::Count() const {
  if (events_.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (const int event : events_) {
    std::uint64_t count = 0;
    if (read(event, &count, sizeof(count)) == sizeof(count)) sum += static_cast<double>(count);
  }
  return sum;
}

const std::string& SystemCallCounter::WhyNot() {
  static const std::string reason = TryToCount();
  return reason;
}

}  // namespace bench
