#include "block.h"

#include <cstdlib>
#include <new>
#include <utility>

#include "spare_blocks.h"

namespace mqttrpc::mqtt {
namespace {

// For malloc's and realloc's.
char* NotNull(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<char*>(memory);
}

}  // namespace

Block::Block(Block&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), spares_(other.spares_) {}

Block& Block::operator=(Block&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(spares_, other.spares_);
  return *this;
}

Block::~Block() {
  if (spares_ != nullptr) {
    spares_->Give(data_, size_);
  } else {
    std::free(data_);
  }
}

Block Block::Of(std::size_t bytes, SpareBlocks* spares) {
  if (spares != nullptr) {
    if (Block spare = spares->Take(bytes); !spare.empty()) return spare;
    if (bytes <= SmallBlocks::kMostBytes) bytes = SmallBlocks::SizeFor(bytes);  // So that it comes back as one.
  }
  return {NotNull(std::malloc(bytes)), bytes, spares};
}

char* Block::Release() {
  size_ = 0;
  return std::exchange(data_, nullptr);
}

void Block::Resize(std::size_t bytes) {
  data_ = NotNull(std::realloc(data_, bytes));  // Of large ones, malloc moves the pages and not the bytes.
  size_ = bytes;
}

}  // namespace mqttrpc::mqtt
