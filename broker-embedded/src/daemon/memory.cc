#include "memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace mqttrpc::broker {

std::uint64_t MemoryOfThisProcess() {
  std::uint64_t bytes =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  // Version 2, then 1, as a container sees its own; "max" is no number, and no limit.
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::uint64_t limit = 0;
    if (std::ifstream(file) >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

}  // namespace mqttrpc::broker
