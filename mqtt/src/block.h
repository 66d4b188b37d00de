// Pieces of memory that grow and change hands without their bytes being copied.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace mqttrpc::mqtt {

class SpareBlocks;

// Owns a piece of memory from malloc and knows its size.
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;
  ~Block();

  // Of `bytes`, or a little more if that is at hand in `spares`, which takes it back in
  // the end and outlives it; may be null. Not filled with anything.
  static Block Of(std::size_t bytes, SpareBlocks* spares);

  // Gives away the memory, of size() bytes, and all duties: see SpareBlocks::Give().
  char* Release();

  char* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Keeps what is in it, as far as there is room. May move it.
  void Resize(std::size_t bytes);

 private:
  friend class SpareBlocks;
  Block(char* data, std::size_t size, SpareBlocks* spares) : data_(data), size_(size), spares_(spares) {}

  char* data_ = nullptr;
  std::size_t size_ = 0;
  SpareBlocks* spares_ = nullptr;
};

// Keeps large blocks for whoever needs the next: memory that the system gives anew costs a
// page fault for each 4 KiB, together more than receiving and sending the bytes. And some
// small ones, as messages are: malloc takes a lock for what another thread has allocated.
// Belongs to one thread.
class SpareBlocks {
 public:
  // Keeps up to `most` bytes.
  explicit SpareBlocks(std::size_t most);
  ~SpareBlocks();
  SpareBlocks(const SpareBlocks&) = delete;
  SpareBlocks& operator=(const SpareBlocks&) = delete;

  // Of `bytes`, and up to a quarter or 15 more; empty if there is none.
  Block Take(std::size_t bytes);

  // Takes back what a Block released: keeps it, rather than what it has had for longest, or
  // frees it.
  void Give(char* data, std::size_t size);

  // What is kept.
  std::size_t bytes() const { return bytes_ + small_bytes_; }

 private:
  friend class Block;
  // Between them malloc is as fast.
  static constexpr std::size_t kLeast = std::size_t{32} * 1024;
  static constexpr std::size_t kMostSmall = 1016;
  // Small ones have the sizes that malloc's have: so many bytes more than a multiple of 16.
  static constexpr std::size_t kStep = 16;
  static constexpr std::size_t kBesides = 8;

  Block TakeSmall(std::size_t size);
  // The size of a small block for `bytes`.
  static std::size_t RoundUp(std::size_t bytes) { return (bytes + kStep - 1 - kBesides) / kStep * kStep + kBesides; }
  static std::size_t ClassOf(std::size_t size) { return (size - kBesides) / kStep; }

  const std::size_t most_;
  const std::size_t most_small_bytes_;
  std::size_t bytes_ = 0;
  std::size_t small_bytes_ = 0;
  std::array<char*, kMostSmall / kStep + 1> small_{};  // By class: the first, in which is the address of the next.
  std::vector<std::span<char>> blocks_;                // The last came last.
};

}  // namespace mqttrpc::mqtt
