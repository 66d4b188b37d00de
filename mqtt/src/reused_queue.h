// A queue that is filled and emptied all the time.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace mqttrpc::mqtt {

// First in, first out, in one vector that keeps its room when it is empty: std::deque
// allocates and frees as its items wander through it.
template <typename T>
class ReusedQueue {
 public:
  bool empty() const { return head_ == items_.size(); }
  T& front() { return items_[head_]; }

  template <typename... Args>
  void emplace(Args&&... args) {
    items_.emplace_back(std::forward<Args>(args)...);
  }

  void pop() {
    if (++head_ == items_.size()) return clear();
    if (head_ < kMuch || 2 * head_ < items_.size()) return;
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }

  void clear() {
    head_ = 0;
    items_.clear();
    if (items_.capacity() > kMuch) items_ = std::vector<T>();  // A burst is over.
  }

 private:
  static constexpr std::size_t kMuch = 1024;

  std::vector<T> items_;
  std::size_t head_ = 0;
};

}  // namespace mqttrpc::mqtt
