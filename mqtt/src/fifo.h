// A queue that holds no memory until something is pushed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace mqttrpc::mqtt {

// First in, first out, in a ring. std::deque allocates half a kilobyte even when it is
// empty: too much for each of 10,000 idle clients. What drains keeps a little memory, so
// that filling and draining again allocates nothing; its owner says Trim() when nothing
// more is expected. `kKeptBytes`: up to which it does not shrink by itself.
template <typename T, std::size_t kKeptBytes = 2048>
class Fifo {
 public:
  Fifo() = default;
  Fifo(Fifo&& other) noexcept { Swap(other); }
  Fifo& operator=(Fifo&& other) noexcept {
    Fifo(std::move(other)).Swap(*this);
    return *this;
  }
  ~Fifo() {
    DestroyAll();
    Deallocate();
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t index) { return items_[PlaceOf(index)]; }  // From the oldest.
  T& front() { return items_[head_]; }
  T& back() { return (*this)[size_ - 1]; }

  void push(T item) {
    if (size_ == capacity_) Reallocate(capacity_ == 0 ? kFirstCapacity : 2 * capacity_);
    std::construct_at(&items_[PlaceOf(size_)], std::move(item));
    ++size_;
  }

  T pop() {
    T item = std::move(front());
    std::destroy_at(&front());
    head_ = static_cast<std::uint32_t>(PlaceOf(1));
    --size_;
    Shrink();
    return item;
  }

  // The youngest.
  T PopBack() {
    T item = std::move(back());
    std::destroy_at(&back());
    --size_;
    Shrink();
    return item;
  }

  // Puts `items` in front of all others, in order.
  void Prepend(std::vector<T> items) {
    std::uint32_t capacity = capacity_ == 0 ? kFirstCapacity : capacity_;
    while (capacity < size_ + items.size()) capacity *= 2;
    if (capacity != capacity_) Reallocate(capacity);
    for (auto item = items.rbegin(); item != items.rend(); ++item) {
      head_ = static_cast<std::uint32_t>(PlaceOf(capacity_ - 1));
      std::construct_at(&items_[head_], std::move(*item));
      ++size_;
    }
  }

  void clear() {
    DestroyAll();
    Trim();
  }

  // Gives back the memory of an empty queue, if it has room for more than `kept`.
  void Trim(std::size_t kept = 0) {
    if (!empty() || capacity_ <= kept) return;
    Deallocate();
    items_ = nullptr;
    capacity_ = 0;
  }

 private:
  static constexpr std::uint32_t kFirstCapacity = 4;  // Powers of two.

  std::size_t PlaceOf(std::size_t index) const { return (head_ + index) & (capacity_ - 1); }

  // When its longest time is over: its size has to double before it grows again.
  void Shrink() {
    if (capacity_ * sizeof(T) > kKeptBytes && capacity_ > kFirstCapacity && size_ <= capacity_ / 8) {
      Reallocate(capacity_ / 4);
    }
  }

  void Reallocate(std::uint32_t capacity) {
    T* const items = std::allocator<T>().allocate(capacity);
    for (std::size_t i = 0; i < size_; ++i) {
      std::construct_at(&items[i], std::move((*this)[i]));
      std::destroy_at(&(*this)[i]);
    }
    Deallocate();
    items_ = items;
    capacity_ = capacity;
    head_ = 0;
  }

  void DestroyAll() {
    for (; size_ > 0; --size_) std::destroy_at(&back());
    head_ = 0;
  }

  void Deallocate() {
    if (items_ != nullptr) std::allocator<T>().deallocate(items_, capacity_);
  }

  void Swap(Fifo& other) noexcept {
    std::swap(items_, other.items_);
    std::swap(capacity_, other.capacity_);
    std::swap(head_, other.head_);
    std::swap(size_, other.size_);
  }

  T* items_ = nullptr;
  std::uint32_t capacity_ = 0;  // 0 or a power of two.
  std::uint32_t head_ = 0;      // Where the oldest is.
  std::uint32_t size_ = 0;
};

}  // namespace mqttrpc::mqtt
