// What the operating system says a process has used.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace bench {

// User and system time of all its threads since it began.
std::chrono::nanoseconds CpuTimeOf(pid_t process);

// Bytes of memory that are this process's own: pages it shares count in part (Pss),
// or, where the system does not tell, whole (Rss).
double MemoryOf(pid_t process);

// The most it had resident at a time since it began, in bytes (VmHWM), shared pages whole. NaN if
// the system does not tell.
double PeakMemoryOf(pid_t process);

// What it has resident now of what it allocated (RssAnon), in bytes: no code, whoever shares it.
double AllocatedMemoryOf(pid_t process);

// Counts the system calls of a process's threads, while it exists.
//
// The kernel's tracepoint for it slows the system calls of every process, so let no
// counter exist while times are measured.
class SystemCallCounter {
 public:
  explicit SystemCallCounter(pid_t process);
  ~SystemCallCounter();
  SystemCallCounter(const SystemCallCounter&) = delete;
  SystemCallCounter& operator=(const SystemCallCounter&) = delete;

  // Since the counter was made; NaN where counting is not permitted.
  double Count() const;

  // Why Count() is NaN everywhere; empty if counting works.
  static const std::string& WhyNot();

 private:
  std::vector<int> events_;  // One for each thread.
};

}  // namespace bench
