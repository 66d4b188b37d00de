// A queue that holds no memory while it is empty.
#pragma once

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace mqttrpc::broker {

// First in, first out, in one vector. std::deque allocates half a kilobyte even
// when it is empty: too much for each of 10,000 idle clients.
template <typename T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }
  T& front() { return items_[head_]; }
  T& back() { return items_.back(); }
  void push(T item) { items_.push_back(std::move(item)); }

  T pop() {
    T item = std::move(items_[head_++]);
    if (head_ == items_.size()) {
      Reset();
    } else if (head_ >= 32 && head_ > items_.size() / 2) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
      if (items_.capacity() > 4 * items_.size()) items_.shrink_to_fit();  // Its longest time is over.
    }
    return item;
  }

  // The youngest.
  T PopBack() {
    T item = std::move(items_.back());
    items_.pop_back();
    if (head_ == items_.size()) Reset();
    return item;
  }

  // Puts `items` in front of all others, in order.
  void Prepend(std::vector<T> items) {
    items_.insert(items_.begin() + static_cast<std::ptrdiff_t>(head_), std::make_move_iterator(items.begin()),
                  std::make_move_iterator(items.end()));
  }

  void clear() {
    items_.clear();
    Reset();
  }

 private:
  static constexpr std::size_t kKeptCapacity = 4;

  void Reset() {
    head_ = 0;
    items_.clear();
    if (items_.capacity() > kKeptCapacity) items_ = std::vector<T>();
  }

  std::vector<T> items_;
  std::size_t head_ = 0;
};

}  // namespace mqttrpc::broker
