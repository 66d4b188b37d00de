// What writers and readers in processes of their own tell about their streams.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace bench {

// In memory that the processes share. A line of cache each: writer and reader do not wait for each other.
struct StreamCounts {
  alignas(64) std::atomic<std::uint64_t> written{0};  // Messages, in all streams.
  alignas(64) std::atomic<std::uint64_t> read{0};
  alignas(64) std::atomic<bool> stop{false};  // Streams are to end.
  std::atomic<std::uint64_t> ended{0};        // Streams that have.
  std::atomic<std::uint64_t> failed{0};       // Of these, those that ended otherwise than they should.
  std::atomic<std::uint64_t> disorder{0};     // Messages that were not the next of their stream.
};

inline void CountOne(std::atomic<std::uint64_t>& count) { count.fetch_add(1, std::memory_order_relaxed); }

class SharedStreamCounts {
 public:
  SharedStreamCounts();                                  // New ones, in a file that goes with this object.
  explicit SharedStreamCounts(const std::string& file);  // Those of another process.
  ~SharedStreamCounts();
  SharedStreamCounts(const SharedStreamCounts&) = delete;
  SharedStreamCounts& operator=(const SharedStreamCounts&) = delete;

  const std::string& file() const { return file_; }
  StreamCounts* operator->() const { return counts_; }
  StreamCounts& operator*() const { return *counts_; }

 private:
  StreamCounts* Map(int descriptor);

  const bool owned_;
  std::string file_;
  StreamCounts* counts_ = nullptr;
};

}  // namespace bench
