// The frames of a call that is more than one message each way: the grammar of `rpc-f`
// (docs/protocol.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mqttrpc {

struct Frame {
  enum class Kind {
    kOpen,     // "o:" limit ["+" | "-"]; "-": it holds no message.
    kAccept,   // "a:" limit
    kMessage,  // "m:" seq ["+"]
    kEnd,      // "e:" seq
    kCancel,   // "c"
    kWindow,   // "w:" next ":" limit ["!"]; "!": send again what I have not got.
    kPing,     // "p:" n
    kPong,     // "q:" n
  };

  Frame() = default;
  explicit Frame(Kind kind_in, std::uint64_t number_in = 0) : kind(kind_in), number(number_in) {}

  std::string Text() const;

  bool operator==(const Frame&) const = default;

  Kind kind = Kind::kCancel;
  std::uint64_t number = 0;  // The limit of kOpen and kAccept, the seq, the next of kWindow, the n.
  std::uint64_t limit = 0;   // Of kWindow.
  bool more = false;         // Of kOpen and kMessage: further fragments of this message follow.
  bool empty = false;        // Of kOpen: the first message is still to come.
  bool again = false;        // Of kWindow.
};

// Numbers are decimal, without signs, and at most this, so that sums never overflow.
inline constexpr std::uint64_t kMaximumSequence = std::uint64_t{1} << 53;

// Empty if `text` is no frame.
std::optional<Frame> ParseFrame(std::string_view text);

}  // namespace mqttrpc
