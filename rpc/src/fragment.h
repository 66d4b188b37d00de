// A piece of a message as it travels: the payload of one `m`, `o` or `e` frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mqttrpc {

// Going out. Keeps its message.
struct FragmentOut {
  FragmentOut() = default;

  std::string_view payload() const {
    return message == nullptr ? std::string_view() : std::string_view(*message).substr(offset, size);
  }

  std::uint64_t sequence = 0;
  bool end = false;                            // Travels in `e`: nothing follows.
  bool more = false;                           // Further fragments of its message follow.
  std::shared_ptr<const std::string> message;  // Null: an end without one.
  std::size_t offset = 0;
  std::size_t size = 0;
  std::optional<std::uint64_t> length;    // Of the message; in the first of several fragments.
  std::optional<std::uint32_t> checksum;  // Of the message; in the last of several fragments.
};

// Coming in. Borrows.
struct FragmentIn {
  FragmentIn() = default;

  std::uint64_t sequence = 0;
  bool more = false;
  std::string_view payload;
  std::optional<std::uint64_t> length;
  std::optional<std::uint32_t> checksum;
};

}  // namespace mqttrpc
