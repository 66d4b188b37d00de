// Cuts a byte stream into whole packets, in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "packets.h"

namespace mqttrpc::mqtt {

// Feed() lends it what was read; Next() then gives frames until it has no more
// whole one; Keep() stores the unfinished tail, if any. A connection between
// packets holds no memory here.
//
//   frames.Feed(bytes);
//   for (;;) {
//     auto frame = frames.Next();
//     if (!frame.ok()) return Refuse(frame.status());
//     if (!frame->has_value()) break;
//     Handle(**frame);
//   }
//   frames.Keep();
class FrameBuffer {
 public:
  // Packets over `maximum_packet_size` bytes (whole packet, MQTT 3.1.2.11.4) are
  // refused as soon as their length is known.
  explicit FrameBuffer(std::uint32_t maximum_packet_size) : maximum_packet_size_(maximum_packet_size) {}

  void set_maximum_packet_size(std::uint32_t bytes) { maximum_packet_size_ = bytes; }

  // Borrows `bytes` until Keep().
  void Feed(std::span<const std::byte> bytes);

  // The next whole packet, or nothing yet. The frame points into the borrowed
  // bytes or into the tail: valid until Keep() or the next Feed().
  // Errors: 0x81 Remaining Length of more than four bytes or not in the shortest
  // form; 0x95 too large.
  absl::StatusOr<std::optional<Frame>> Next();

  // Copies what is left of the fed bytes, so that the caller may reuse them. That
  // may be whole packets too: a later Next() gives them, without a Feed().
  void Keep();

  // What the buffer has kept.
  std::size_t tail_bytes() const { return tail_.size() - tail_used_; }

  // The memory it takes for that, in bytes: up to a quarter more.
  std::size_t memory_bytes() const;

  // Forgets everything.
  void Clear();

 private:
  void Reserve(std::size_t bytes);
  void MoveToTail(std::size_t count);

  std::uint32_t maximum_packet_size_;
  std::string tail_;           // What earlier feeds left; then what completes its last packet.
  std::size_t tail_used_ = 0;  // How much of it was given out as frames.
  std::string_view fed_;       // What is fed and neither given out nor in tail_.
};

}  // namespace mqttrpc::mqtt
