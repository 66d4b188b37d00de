// Pieces of memory that grow and change hands without their bytes being copied.
#pragma once

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
// page fault for each 4 KiB, together more than receiving and sending the bytes. Belongs to
// one thread.
class SpareBlocks {
 public:
  // Keeps up to `most` bytes.
  explicit SpareBlocks(std::size_t most) : most_(most) {}
  ~SpareBlocks();
  SpareBlocks(const SpareBlocks&) = delete;
  SpareBlocks& operator=(const SpareBlocks&) = delete;

  // Of `bytes`, and up to a quarter more; empty if there is none.
  Block Take(std::size_t bytes);

  // Takes back what a Block released: keeps it, rather than what it has had for longest, or
  // frees it.
  void Give(char* data, std::size_t size);

  // What is kept.
  std::size_t bytes() const { return bytes_; }

 private:
  // Smaller ones come from malloc as fast.
  static constexpr std::size_t kLeast = std::size_t{32} * 1024;

  const std::size_t most_;
  std::size_t bytes_ = 0;
  std::vector<std::span<char>> blocks_;  // The last came last.
};

}  // namespace mqttrpc::mqtt
