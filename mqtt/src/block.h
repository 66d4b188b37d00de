// Pieces of memory that grow and change hands without their bytes being copied.
#pragma once

#include <cstddef>

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

}  // namespace mqttrpc::mqtt
