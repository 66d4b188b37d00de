// Write buffers that connections borrow while they have something to say.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "wire.h"

namespace mqttrpc::broker {

// One shard's thread only.
class BufferPool {
 public:
  // An empty buffer, with capacity if one is at hand.
  mqtt::WireBuffer Take() {
    if (buffers_.empty()) return {};
    mqtt::WireBuffer buffer = std::move(buffers_.back());
    buffers_.pop_back();
    return buffer;
  }

  void Give(mqtt::WireBuffer buffer) {
    if (buffer.capacity() > kMaximumCapacity || buffers_.size() >= kMaximumBuffers) return;
    buffer.clear();
    buffers_.push_back(std::move(buffer));
  }

 private:
  static constexpr std::size_t kMaximumBuffers = 64;
  static constexpr std::size_t kMaximumCapacity = 64 * 1024;
  std::vector<mqtt::WireBuffer> buffers_;
};

}  // namespace mqttrpc::broker
