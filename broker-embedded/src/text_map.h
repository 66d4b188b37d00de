// Hash maps and sets with text for keys, looked up by std::string_view without a copy.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::broker {

// Abseil's hash is seeded per process: a peer cannot choose keys that collide.
// So is the order of iteration: never let behaviour depend on it.
struct TextHash {
  using is_transparent = void;
  // Of a std::string_view that is not its own Abseil would take std::hash, which has no seed.
  std::size_t operator()(std::string_view text) const { return absl::HashOf(mqtt::ToAbsl(text)); }
};

template <typename T>
using TextMap = absl::flat_hash_map<std::string, T, TextHash, std::equal_to<>>;

// What OwnedByText needs to know: the text of what a pointer owns, by its member kText.
template <typename T, auto kText>
struct TextOf {
  using is_transparent = void;

  static std::string_view Of(std::string_view text) { return text; }
  static std::string_view Of(const std::unique_ptr<T>& item) { return std::invoke(kText, *item); }

  template <typename Key>
  std::size_t operator()(const Key& key) const {
    return TextHash()(Of(key));
  }
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return Of(a) == Of(b);
  }
};

// Owns objects that know the text they are found by: no second copy of it.
template <typename T, auto kText>
using OwnedByText = absl::flat_hash_set<std::unique_ptr<T>, TextOf<T, kText>, TextOf<T, kText>>;

}  // namespace mqttrpc::broker
