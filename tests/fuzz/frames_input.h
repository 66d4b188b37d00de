// A fuzzer's input, taken piece by piece, and what it checks.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "frame.h"
#include "mqttrpc/mqtt/clock.h"

namespace mqttrpc::test {

inline void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// The input, piece by piece; zeros when it is used up.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  std::string_view Text() {
    const std::string_view text = bytes_.substr(0, Byte());
    bytes_.remove_prefix(std::min(text.size(), bytes_.size()));
    return text;
  }
  // Mostly small, sometimes as large as can be.
  std::uint64_t Number() {
    const std::uint8_t byte = Byte();
    return byte < 250 ? byte : kMaximumSequence - (255 - byte);
  }
  mqtt::Duration Time() { return std::chrono::milliseconds(std::uint64_t{1} << Byte() % 24); }
  std::string FrameText() {
    static constexpr Frame::Kind kKinds[] = {Frame::Kind::kMessage, Frame::Kind::kWindow, Frame::Kind::kEnd,
                                             Frame::Kind::kPing,    Frame::Kind::kPong,   Frame::Kind::kOpen,
                                             Frame::Kind::kAccept,  Frame::Kind::kCancel};
    const std::uint8_t choice = Byte();
    if (choice >= 240) return std::string(Text());
    Frame frame(kKinds[choice % 8]);
    const std::uint8_t marks = choice / 8;
    if (frame.kind != Frame::Kind::kCancel) frame.number = Number();
    if (frame.kind == Frame::Kind::kWindow) {
      frame.limit = std::min(frame.number + Byte(), kMaximumSequence);
      frame.again = marks % 2 == 1;
    }
    if (frame.kind == Frame::Kind::kOpen || frame.kind == Frame::Kind::kMessage) frame.more = marks % 4 == 1;
    if (frame.kind == Frame::Kind::kOpen) frame.empty = marks % 4 == 2;
    return frame.Text();
  }

 private:
  std::string_view bytes_;
};

}  // namespace mqttrpc::test
