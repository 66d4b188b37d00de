#include "systems/stream_counts.h"

#include <cstdlib>
#include <filesystem>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report/sample.h"

namespace bench {

SharedStreamCounts::SharedStreamCounts()
    : owned_(true), file_(std::filesystem::temp_directory_path() / "mqttrpc-bench-XXXXXX") {
  const int descriptor = mkstemp(file_.data());
  if (descriptor < 0 || ftruncate(descriptor, sizeof(StreamCounts)) != 0) throw Void("cannot write " + file_);
  counts_ = new (Map(descriptor)) StreamCounts;
}

SharedStreamCounts::SharedStreamCounts(const std::string& file) : owned_(false), file_(file) {
  counts_ = Map(open(file.c_str(), O_RDWR | O_CLOEXEC));
}

SharedStreamCounts::~SharedStreamCounts() {
  munmap(counts_, sizeof(StreamCounts));
  if (owned_) unlink(file_.c_str());
}

StreamCounts* SharedStreamCounts::Map(int descriptor) {
  void* memory = mmap(nullptr, sizeof(StreamCounts), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (descriptor >= 0) close(descriptor);
  if (memory == MAP_FAILED) throw Void("cannot map " + file_);
  return static_cast<StreamCounts*>(memory);
}

}  // namespace bench
