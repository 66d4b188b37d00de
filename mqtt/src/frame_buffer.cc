#include "frame_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "spare_blocks.h"

namespace mqttrpc::mqtt {
namespace {

// What a tail may take without need, in bytes.
constexpr std::size_t kSlack = 256;

// From here on a packet is worth reading to its own memory, once so much of it has arrived:
// nobody gets that memory for a few bytes.
constexpr std::size_t kLarge = std::size_t{32} * 1024;
constexpr std::size_t kArrived = std::size_t{8} * 1024;

// A rest so small comes with what follows it.
constexpr std::size_t kSmallRest = std::size_t{4} * 1024;

// A packet's fixed header; `size` is that of the whole packet.
struct Header {
  std::size_t header_size = 0;
  std::size_t size = 0;  // 0: the header has not arrived whole.
};

absl::StatusOr<Header> ParseHeader(std::string_view bytes) {
  Header header;
  if (bytes.empty()) return header;
  const std::string_view behind = bytes.substr(1, 4);  // A Remaining Length has 1-4 bytes.
  const auto last = std::find_if(behind.begin(), behind.end(), [](char c) { return (c & 0x80) == 0; });
  if (last == behind.end() && behind.size() < 4) return header;
  Reader in(behind);
  const std::uint32_t remaining_length = in.VariableByteInteger("Remaining Length");
  if (in.failed()) {
    const Fault fault = in.Verdict();
    return StatusFrom(fault.code, fault.ToString());
  }
  header.header_size = 1 + behind.size() - in.remaining();
  header.size = header.header_size + remaining_length;
  return header;
}

Frame FrameIn(std::string_view packet, const Header& header) {
  return Frame{static_cast<std::uint8_t>(packet.front()),
               AsBytes(packet.substr(header.header_size, header.size - header.header_size))};
}

}  // namespace

// Makes room for so many bytes in all: a quarter more than there was when it has to grow, and
// not much more than needed; but for a large packet all that it will need, if that is spare.
void FrameBuffer::Reserve(std::size_t bytes) {
  const std::size_t packet = LargePacketSize();
  const std::size_t whole = packet == 0 ? 0 : in_front_ + packet;
  const std::size_t most = std::max(bytes + bytes / 2 + kSlack, whole + whole / 4);
  const std::size_t room = block_.size() - tail_begin_;
  const bool well_placed = packet == 0 || tail_begin_ >= in_front_;
  if (bytes <= room && block_.size() <= most && well_placed) return;
  std::size_t grown = bytes <= room ? bytes : std::max(bytes, tail_bytes() + tail_bytes() / 4);
  if (bytes <= packet) grown = std::min(grown, packet);
  if (packet == 0) return Move(Block::Of(grown, nullptr), 0);
  if (spares_ != nullptr && bytes <= packet) {
    if (Block spare = spares_->Take(whole); !spare.empty()) return Move(std::move(spare), in_front_);
  }
  if (!block_.empty() && tail_begin_ == in_front_) return block_.Resize(in_front_ + grown);
  Move(Block::Of(in_front_ + grown, spares_), in_front_);
}

void FrameBuffer::Move(Block to, std::size_t begin) {
  const std::size_t size = tail_bytes();
  if (size > 0) std::memcpy(to.data() + begin, tail().data(), size);
  block_ = std::move(to);
  tail_begin_ = begin;
  tail_end_ = begin + size;
}

// Of the first packet here, if it is worth memory of its own; else 0.
std::size_t FrameBuffer::LargePacketSize() const {
  if (tail_bytes() + fed_.size() < kArrived) return 0;
  const auto header = ParseHeader(tail_bytes() > 0 ? tail() : fed_);
  return header.ok() && header->size >= kLarge && header->size <= maximum_packet_size_ ? header->size : 0;
}

void FrameBuffer::Clear() {
  block_ = Block();
  tail_begin_ = tail_end_ = 0;
  fed_ = {};
}

std::span<std::byte> FrameBuffer::Room() const {
  const std::size_t packet = LargePacketSize();
  if (packet < tail_bytes() + kSmallRest) return {};
  const std::size_t size = std::min(packet - tail_bytes(), block_.size() - tail_end_);
  return std::as_writable_bytes(std::span(block_.data() + tail_end_, size));
}

std::string FrameBuffer::TakeRest() {
  Keep();
  std::string rest(tail());
  Clear();
  return rest;
}

void FrameBuffer::Feed(std::span<const std::byte> bytes) {
  const bool in_room = AsText(bytes).data() == block_.data() + tail_end_ && bytes.size() <= block_.size() - tail_end_;
  if (in_room && fed_.empty()) {
    tail_end_ += bytes.size();
    return;
  }
  Keep();
  fed_ = AsText(bytes);
  if (tail_bytes() == 0) return;
  // All that Next() may append, so that it never moves frames it has given out.
  const std::size_t all = tail_bytes() + fed_.size();
  const std::size_t packet = LargePacketSize();
  Reserve(packet < tail_bytes() ? all : std::min(all, packet));
}

absl::StatusOr<std::optional<Frame>> FrameBuffer::Next() {
  const bool in_tail = tail_bytes() > 0;
  const auto packet = [&] { return in_tail ? tail() : fed_; };
  auto header = ParseHeader(packet());
  while (in_tail && header.ok() && header->size == 0 && !fed_.empty()) {
    MoveToTail(1);
    header = ParseHeader(packet());
  }
  if (!header.ok()) return header.status();
  if (header->size == 0) return std::nullopt;
  if (header->size > maximum_packet_size_) {
    return StatusFrom(ReasonCode::kPacketTooLarge,
                      absl::StrCat("packet is ", header->size, " bytes; this side takes ", maximum_packet_size_));
  }
  if (in_tail && packet().size() < header->size) MoveToTail(header->size - packet().size());
  if (packet().size() < header->size) return std::nullopt;
  const Frame frame = FrameIn(packet(), *header);
  if (in_tail) {
    tail_begin_ += header->size;
  } else {
    fed_.remove_prefix(header->size);
  }
  return frame;
}

// Moves that many fed bytes to the tail, or as many as there are. There is room.
void FrameBuffer::MoveToTail(std::size_t count) {
  const std::string_view moved = fed_.substr(0, count);
  if (moved.empty()) return;
  std::memcpy(block_.data() + tail_end_, moved.data(), moved.size());
  tail_end_ += moved.size();
  fed_.remove_prefix(moved.size());
}

void FrameBuffer::Keep() {
  if (tail_bytes() == 0) {
    block_ = Block();
    tail_begin_ = tail_end_ = 0;
  }
  const std::size_t all = tail_bytes() + fed_.size();
  if (all == 0) return;
  const std::size_t packet = LargePacketSize();
  // Before Room() gets small it grows, a good piece at a time.
  const bool grows = block_.size() - tail_begin_ < std::min(packet, all + all / 8);
  Reserve(grows ? std::max(all, std::min(packet, all + all / 4)) : all);
  MoveToTail(fed_.size());
}

Block FrameBuffer::TakeBlock(std::string_view part) {
  const bool here = part.data() >= block_.data() && part.data() < block_.data() + tail_end_;
  if (part.size() < kLarge / 2 || !here || tail_bytes() > 0) return {};
  tail_begin_ = tail_end_ = 0;
  return std::exchange(block_, Block());
}

}  // namespace mqttrpc::mqtt
