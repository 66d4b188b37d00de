// A list of pointers of which there is nearly always one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mqttrpc::broker {

// Takes the room of a pointer, and no memory besides while it has none or one. Owns
// nothing. T has a fundamental alignment of at least two.
template <typename T>
class PointerList {
 public:
  PointerList() = default;
  PointerList(const PointerList&) = delete;
  PointerList& operator=(const PointerList&) = delete;
  ~PointerList() {
    if (many()) delete &list();
  }

  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return many() ? list().size() : empty() ? 0 : 1; }
  T* const* begin() const { return many() ? list().data() : &first_; }
  T* const* end() const { return begin() + size(); }
  T* operator[](std::size_t index) const { return begin()[index]; }

  void push_back(T* item) {
    if (many()) return list().push_back(item);
    if (empty()) {
      first_ = item;
      return;
    }
    auto* const both = new List{first_, item};
    first_ = reinterpret_cast<T*>(reinterpret_cast<char*>(both) + kMany);
  }

  // Fills the hole at `position` with the last one, and tells `moved(item, position)` if
  // that was another.
  template <typename Moved>
  void Remove(std::size_t position, Moved&& moved) {
    if (!many()) {
      first_ = nullptr;
      return;
    }
    List& items = list();
    if (position + 1 != items.size()) {
      items[position] = items.back();
      moved(*items[position], position);
    }
    items.pop_back();
    if (items.size() > 1) return;
    T* const left = items.front();
    delete &items;
    first_ = left;
  }

 private:
  using List = std::vector<T*>;
  static constexpr std::uintptr_t kMany = 1;

  bool many() const { return (reinterpret_cast<std::uintptr_t>(first_) & kMany) != 0; }
  List& list() const { return *reinterpret_cast<List*>(reinterpret_cast<char*>(first_) - kMany); }

  T* first_ = nullptr;  // The only one; or, plus kMany, the address of a list of more.
};

}  // namespace mqttrpc::broker
