// A hash map from text, and a set of it, looked up by std::string_view without a copy.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>

namespace mqttrpc::broker {

// Abseil's hash is seeded per process: a peer cannot choose keys that collide.
// So is the order of iteration: never let behaviour depend on it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return absl::HashOf(text); }
};

template <typename T>
using TextMap = absl::flat_hash_map<std::string, T, TextHash, std::equal_to<>>;

using TextSet = absl::flat_hash_set<std::string, TextHash, std::equal_to<>>;

}  // namespace mqttrpc::broker
