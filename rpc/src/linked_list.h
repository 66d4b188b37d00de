// A doubly linked list through the items themselves: adding and removing allocates nothing.
#pragma once

namespace mqttrpc {

// Derive from it to be linkable, in one list at a time. Must be removed before it goes.
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  bool linked() const { return next_ != nullptr; }

 private:
  template <typename T>
  friend class LinkedList;
  ListNode* previous_ = nullptr;
  ListNode* next_ = nullptr;
};

// Owns nothing. Not thread-safe.
template <typename T>
class LinkedList {
 public:
  LinkedList() { end_.previous_ = end_.next_ = &end_; }

  bool empty() const { return end_.next_ == &end_; }
  T* front() const { return empty() ? nullptr : static_cast<T*>(end_.next_); }

  void PushBack(T& item) { Link(item, *end_.previous_, end_); }
  void PushFront(T& item) { Link(item, end_, *end_.next_); }

  // Does nothing to an item in no list.
  static void Remove(T& item) {
    ListNode& node = item;
    if (!node.linked()) return;
    node.previous_->next_ = node.next_;
    node.next_->previous_ = node.previous_;
    node.previous_ = node.next_ = nullptr;
  }

  // Calls `visit(T&)` in order. `visit` must not change the list.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (ListNode* node = end_.next_; node != &end_; node = node->next_) visit(static_cast<T&>(*node));
  }

 private:
  static void Link(ListNode& node, ListNode& before, ListNode& after) {
    node.previous_ = &before;
    node.next_ = &after;
    before.next_ = after.previous_ = &node;
  }

  ListNode end_;
};

}  // namespace mqttrpc
