// Topics taken apart at their slashes.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace mqttrpc {

// The last three levels of a topic. All empty if it has fewer.
struct TopicTail {
  std::string_view first;
  std::string_view second;
  std::string_view third;
};

inline TopicTail LastThreeLevels(std::string_view topic) {
  const std::size_t last = topic.rfind('/');
  if (last == std::string_view::npos || last == 0) return {};
  const std::size_t middle = topic.rfind('/', last - 1);
  if (middle == std::string_view::npos) return {};
  const std::size_t before = middle == 0 ? std::string_view::npos : topic.rfind('/', middle - 1);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  return {topic.substr(begin, middle - begin), topic.substr(middle + 1, last - middle - 1), topic.substr(last + 1)};
}

// The levels of `topic` if it has exactly four, none of them empty.
inline std::optional<std::array<std::string_view, 4>> FourLevels(std::string_view topic) {
  std::array<std::string_view, 4> levels;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t slash = topic.find('/');
    if ((slash == std::string_view::npos) != (i == 3)) return std::nullopt;
    levels[i] = topic.substr(0, slash);
    if (levels[i].empty()) return std::nullopt;
    if (i < 3) topic.remove_prefix(slash + 1);
  }
  return levels;
}

}  // namespace mqttrpc
