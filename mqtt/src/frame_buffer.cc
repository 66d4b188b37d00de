#include "frame_buffer.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

// What a tail may take without need, in bytes.
constexpr std::size_t kSlack = 256;

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

// Makes room for so many bytes in all: a quarter more than there was when it has to
// grow, and not much more than needed. std::string doubles, and keeps what it has.
void FrameBuffer::Reserve(std::size_t bytes) {
  if (bytes <= tail_.capacity() && tail_.capacity() <= bytes + bytes / 2 + kSlack) return;
  std::string other;
  other.reserve(bytes <= tail_.capacity() ? bytes : std::max(bytes, tail_.size() + tail_.size() / 4));
  other.append(tail_);
  tail_.swap(other);
}

std::size_t FrameBuffer::memory_bytes() const { return tail_.empty() ? 0 : tail_.capacity(); }

void FrameBuffer::Clear() {
  std::string().swap(tail_);  // An assignment would keep the memory.
  tail_used_ = 0;
  fed_ = {};
}

void FrameBuffer::Feed(std::span<const std::byte> bytes) {
  Keep();
  fed_ = AsText(bytes);
  // All that Next() may append, so that it never moves frames it has given out.
  if (!tail_.empty()) Reserve(tail_.size() + fed_.size());
}

absl::StatusOr<std::optional<Frame>> FrameBuffer::Next() {
  const bool in_tail = tail_used_ < tail_.size();
  const auto packet = [&] { return in_tail ? std::string_view(tail_).substr(tail_used_) : fed_; };
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
    tail_used_ += header->size;
  } else {
    fed_.remove_prefix(header->size);
  }
  return frame;
}

// Moves that many fed bytes to the tail, or as many as there are.
void FrameBuffer::MoveToTail(std::size_t count) {
  const std::string_view moved = fed_.substr(0, count);
  tail_.append(moved);
  fed_.remove_prefix(moved.size());
}

void FrameBuffer::Keep() {
  const std::string_view rest = fed_;
  if (tail_bytes() == 0) {
    Clear();
  } else {
    tail_.erase(0, tail_used_);
    tail_used_ = 0;
  }
  fed_ = {};
  if (tail_.empty() && rest.empty()) return;
  Reserve(tail_.size() + rest.size());
  tail_.append(rest);
}

}  // namespace mqttrpc::mqtt
