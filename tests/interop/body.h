// What requests and replies are filled with.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mqttrpc::interop {

// The largest that anybody asks for, and what a message with it may have.
inline constexpr std::size_t kLargestBody = std::size_t{64} * 1024 * 1024;
inline constexpr std::size_t kLargestMessage = kLargestBody + 1024;

// `size` bytes, any two neighbours and any two fragments different, so that a body that was
// put together wrongly is seen.
inline std::string Body(std::size_t size) {
  std::string body(size, '\0');
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 7 + (i >> 8) * 13 + (i >> 16));
  return body;
}

inline bool IsBody(std::string_view text) { return text == Body(text.size()); }

}  // namespace mqttrpc::interop
