#include "spare_blocks.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

// With AddressSanitizer, who uses a block that is spare is found.
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#endif

namespace mqttrpc::mqtt {
namespace {

// Of a small block that is spare.
char* NextOf(const char* block) {
  char* next = nullptr;
  std::memcpy(static_cast<void*>(&next), block, sizeof(next));
  return next;
}

}  // namespace

SmallBlocks::~SmallBlocks() {
  for (std::size_t index = 0; index < classes_.size(); ++index) {
    while (classes_[index].first != nullptr) std::free(Pop(index));
  }
}

char* SmallBlocks::Take(std::size_t bytes) {
  if (bytes > kMostBytes) return nullptr;
  const std::size_t index = ClassOf(SizeFor(bytes));
  return classes_[index].first == nullptr ? nullptr : Pop(index);
}

char* SmallBlocks::Pop(std::size_t index) {
  Class& from = classes_[index];
  const std::size_t size = SizeOf(index);
  bytes_ -= size;
  from.bytes -= size;
  char* const block = std::exchange(from.first, NextOf(from.first));
  ASAN_UNPOISON_MEMORY_REGION(block, size);
  return block;
}

// One whose size has changed goes where all are at most as large.
bool SmallBlocks::Give(char* data, std::size_t size) {
  if (size > kMostBytes || size < kBesides) return false;
  const std::size_t index = ClassOf(size);
  if (!MakeRoom(index)) return false;
  Class& to = classes_[index];
  std::memcpy(data, static_cast<const void*>(&to.first), sizeof(to.first));
  ASAN_POISON_MEMORY_REGION(data + sizeof(to.first), size - sizeof(to.first));
  to.first = data;
  to.bytes += SizeOf(index);
  bytes_ += SizeOf(index);
  return true;
}

// For one more of a class, unless half of all are of that: where messages only come in, their
// blocks would come one for the other for ever.
bool SmallBlocks::MakeRoom(std::size_t index) {
  while (bytes_ + SizeOf(index) > most_) {
    if (2 * classes_[index].bytes >= bytes_) return false;
    while (victim_ == index || classes_[victim_].first == nullptr) victim_ = (victim_ + 1) % classes_.size();
    std::free(Pop(victim_));
  }
  return true;
}

SpareBlocks::SpareBlocks(std::size_t most) : most_(most), small_(std::min(most / 4, std::size_t{512} * 1024)) {
  blocks_.reserve(most / kLeast + 1);  // To take one back must not fail.
}

SpareBlocks::~SpareBlocks() {
  for (const std::span<char> block : blocks_) std::free(block.data());
}

// The one that was used last: its bytes may still be in the processor's caches.
Block SpareBlocks::Take(std::size_t bytes) {
  if (char* const small = small_.Take(bytes)) return {small, SmallBlocks::SizeFor(bytes), this};
  if (bytes < kLeast) return {};
  const auto fits = [bytes](std::span<char> block) {
    return block.size() >= bytes && block.size() <= bytes + bytes / 4;
  };
  const auto found = std::find_if(blocks_.rbegin(), blocks_.rend(), fits);
  if (found == blocks_.rend()) return {};
  const std::span<char> block = *found;
  blocks_.erase(std::next(found).base());
  bytes_ -= block.size();
  ASAN_UNPOISON_MEMORY_REGION(block.data(), block.size());
  return {block.data(), block.size(), this};
}

void SpareBlocks::Give(char* data, std::size_t size) {
  if (small_.Give(data, size)) return;
  if (size < kLeast || size > most_) return std::free(data);
  while (bytes_ + size > most_) {
    bytes_ -= blocks_.front().size();
    std::free(blocks_.front().data());
    blocks_.erase(blocks_.begin());
  }
  ASAN_POISON_MEMORY_REGION(data, size);
  blocks_.emplace_back(data, size);
  bytes_ += size;
}

}  // namespace mqttrpc::mqtt
