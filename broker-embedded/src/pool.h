// What connections and sessions need only while something is going on, lent to those
// where it is.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace mqttrpc::broker {

// Of what is given back some is kept, with the memory that it has allocated: so an idle
// client owns none, and a busy one that is idle for a moment allocates nothing. A T is
// given back as if it were new, but for that memory; Rest(bool roomy) lets it go if there
// is too much of it: `roomy` says whether it is among the few that may keep more. One
// shard's thread only.
template <typename T>
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  std::unique_ptr<T> Take() {
    if (items_.empty()) return std::make_unique<T>();
    std::unique_ptr<T> item = std::move(items_.back());
    items_.pop_back();
    return item;
  }

  void Give(std::unique_ptr<T> item) {
    if (items_.size() >= kMaximum) return;
    item->Rest(items_.size() < kRoomy);
    items_.push_back(std::move(item));
  }

 private:
  static constexpr std::size_t kMaximum = 1024;
  static constexpr std::size_t kRoomy = 32;
  std::vector<std::unique_ptr<T>> items_;  // The last one was busy last.
};

}  // namespace mqttrpc::broker
