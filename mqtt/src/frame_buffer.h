// Cuts a byte stream into whole packets, in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "block.h"
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
//
// Of a large packet only the beginning is copied: Room() is where the rest is to be read to,
// and TakeBlock() gives the whole of it away.
class FrameBuffer {
 public:
  // Packets over `maximum_packet_size` bytes (whole packet, MQTT 3.1.2.11.4) are
  // refused as soon as their length is known.
  explicit FrameBuffer(std::uint32_t maximum_packet_size) : maximum_packet_size_(maximum_packet_size) {}

  void set_maximum_packet_size(std::uint32_t bytes) { maximum_packet_size_ = bytes; }

  // Large packets are kept in blocks of `spares`, which outlives this, with `in_front` bytes
  // free before them.
  void UseSpares(SpareBlocks& spares, std::size_t in_front) {
    spares_ = &spares;
    in_front_ = in_front;
  }

  // What of an unfinished large packet has room already: to Feed() it what was written there
  // copies nothing. Valid until Feed(). Empty if there is none.
  std::span<std::byte> Room() const;

  // Borrows `bytes` until Keep(). Not empty.
  void Feed(std::span<const std::byte> bytes);

  // The next whole packet, or nothing yet. The frame points into the borrowed
  // bytes or into the tail: valid until Keep() or the next Feed().
  // Errors: 0x81 Remaining Length of more than four bytes or not in the shortest
  // form; 0x95 too large.
  absl::StatusOr<std::optional<Frame>> Next();

  // Copies what is left of the fed bytes, so that the caller may reuse them. That
  // may be whole packets too: a later Next() gives them, without a Feed().
  void Keep();

  // The memory in which the last frame stands with `part` in it, if that is large and nothing
  // else is there that was not given out: the caller's from now on, and as it was. Else empty.
  Block TakeBlock(std::string_view part);

  // Takes out what was fed and not given out as frames.
  std::string TakeRest();

  // What the buffer has kept.
  std::size_t tail_bytes() const { return tail_end_ - tail_begin_; }

  // The memory it takes for that, in bytes: up to a quarter more; for a large packet of which
  // some has arrived perhaps room for all of it, if that was spare.
  std::size_t memory_bytes() const { return block_.size(); }

  // Forgets everything.
  void Clear();

 private:
  std::string_view tail() const { return {block_.data() + tail_begin_, tail_bytes()}; }
  void Reserve(std::size_t bytes);
  void Move(Block to, std::size_t begin);
  std::size_t LargePacketSize() const;
  void MoveToTail(std::size_t count);

  std::uint32_t maximum_packet_size_;
  SpareBlocks* spares_ = nullptr;
  std::size_t in_front_ = 0;

  Block block_;                 // Empty while there is no tail and no frame in it.
  std::size_t tail_begin_ = 0;  // In block_: what earlier feeds left; then what completes its last packet.
  std::size_t tail_end_ = 0;
  std::string_view fed_;  // What is fed and neither given out nor in the tail.
};

}  // namespace mqttrpc::mqtt
