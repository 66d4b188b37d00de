// Memory that was used and will be used again, without asking malloc or the system.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "block.h"

namespace mqttrpc::mqtt {

// Keeps blocks as large as a small message for whoever needs the next, up to `most` bytes of
// them: malloc takes a lock for what another thread has allocated. Those of sizes that nobody
// needs any more give way. One thread.
class SmallBlocks {
 public:
  static constexpr std::size_t kMostBytes = 1016;  // Of one. Larger ones come from malloc as fast.

  // How large to make one for `bytes`, which malloc would give as well.
  static std::size_t SizeFor(std::size_t bytes) { return (bytes + kStep - 1 - kBesides) / kStep * kStep + kBesides; }

  explicit SmallBlocks(std::size_t most) : most_(most) {}
  ~SmallBlocks();
  SmallBlocks(const SmallBlocks&) = delete;
  SmallBlocks& operator=(const SmallBlocks&) = delete;

  // One of SizeFor(bytes); null if there is none.
  char* Take(std::size_t bytes);

  // Whether it is kept, else it is still the caller's. Of any size.
  bool Give(char* data, std::size_t size);

  std::size_t bytes() const { return bytes_; }

 private:
  // All of one size.
  struct Class {
    char* first = nullptr;  // In each is the address of the next.
    std::size_t bytes = 0;
  };

  // The sizes that malloc has: so many bytes more than a multiple.
  static constexpr std::size_t kStep = 16;
  static constexpr std::size_t kBesides = 8;

  // Of the largest blocks that are not larger than `size`.
  static std::size_t ClassOf(std::size_t size) { return (size - kBesides) / kStep; }
  static std::size_t SizeOf(std::size_t index) { return index * kStep + kBesides; }

  char* Pop(std::size_t index);
  bool MakeRoom(std::size_t index);

  const std::size_t most_;
  std::size_t bytes_ = 0;
  std::array<Class, kMostBytes / kStep + 1> classes_;
  std::size_t victim_ = 0;  // The class that gives way.
};

// Keeps large blocks too: memory that the system gives anew costs a page fault for each
// 4 KiB, together more than receiving and sending the bytes. One thread.
class SpareBlocks {
 public:
  // Keeps up to `most` bytes of large blocks, and a quarter as much, 512 KiB at most, of
  // small ones.
  explicit SpareBlocks(std::size_t most);
  ~SpareBlocks();
  SpareBlocks(const SpareBlocks&) = delete;
  SpareBlocks& operator=(const SpareBlocks&) = delete;

  // Of `bytes`, and up to a quarter or 15 more; empty if there is none.
  Block Take(std::size_t bytes);

  // Takes back what a Block released: keeps it, rather than the large one that it has had
  // for longest, or frees it.
  void Give(char* data, std::size_t size);

  // What is kept.
  std::size_t bytes() const { return bytes_ + small_.bytes(); }

 private:
  static constexpr std::size_t kLeast = std::size_t{32} * 1024;  // Of a large one.

  const std::size_t most_;
  std::size_t bytes_ = 0;                // Of large ones.
  std::vector<std::span<char>> blocks_;  // The last came last.
  SmallBlocks small_;
};

}  // namespace mqttrpc::mqtt
