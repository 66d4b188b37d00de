// Many deadlines behind one timer.
//
//   queue.Schedule(connection, now + 30s);       // connection derives from Entry
//   timer->Arm(queue.Next(), ...);               // then:
//   while (auto* due = queue.PopDue(now)) ...    // each once, the earliest first
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mqttrpc/mqtt/clock.h"

namespace mqttrpc::mqtt {

// Orders deadlines; starts no timer and reads no clock. A binary heap of pointers:
// scheduling and cancelling cost O(log n), tens of nanoseconds among ten thousand, and no
// allocation but for the heap's growth, which is kept (docs/decisions/0018-deadlines-in-a-heap.md).
// Owns no entry. For 2^32 - 1 of them at most. Not thread-safe.
class DeadlineQueue {
 public:
  // Derive from it (or hold one) to be schedulable. Must be cancelled before it
  // goes; not copyable, since the queue knows it by address.
  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    // Whether it is in a queue.
    bool scheduled() const { return position_ != kNowhere; }
    // When it is due. Only if scheduled().
    TimePoint deadline() const { return deadline_; }

   private:
    friend class DeadlineQueue;
    // Of one that is not scheduled.
    static constexpr std::uint32_t kNowhere = 0xFFFFFFFF;
    TimePoint deadline_{};
    std::uint32_t position_ = kNowhere;
  };

  // Moves `entry` to `deadline`, adding it if need be. kNever cancels. One that is in
  // another queue must be cancelled there first. Throws only std::bad_alloc.
  void Schedule(Entry& entry, TimePoint deadline) {
    if (deadline == kNever) return Cancel(entry);
    entry.deadline_ = deadline;
    if (!entry.scheduled()) {
      entry.position_ = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back(&entry);
    }
    SiftDown(SiftUp(entry.position_));
  }

  // Takes `entry` out. Nothing happens if it is not scheduled. Allocates and throws nothing.
  void Cancel(Entry& entry) {
    if (!entry.scheduled()) return;
    const std::size_t hole = entry.position_;
    Entry* last = heap_.back();
    heap_.pop_back();
    entry.position_ = Entry::kNowhere;
    if (last == &entry) return;
    Place(hole, last);
    SiftDown(SiftUp(hole));
  }

  // When the earliest entry is due, for the one timer that wakes whoever runs the queue;
  // kNever if there is none. O(1).
  TimePoint Next() const { return heap_.empty() ? kNever : heap_.front()->deadline_; }

  // Removes and returns the earliest entry due at `now`, or null. Of equal deadlines
  // any may come first; the same sequence of calls always gives the same one. The entry may
  // be scheduled again, or end, before the next call.
  Entry* PopDue(TimePoint now) {
    if (heap_.empty() || heap_.front()->deadline_ > now) return nullptr;
    Entry* due = heap_.front();
    Cancel(*due);
    return due;
  }

  // Entries that are scheduled.
  std::size_t size() const { return heap_.size(); }

 private:
  // Puts `entry` there, and lets it know.
  void Place(std::size_t position, Entry* entry) {
    heap_[position] = entry;
    entry->position_ = static_cast<std::uint32_t>(position);
  }

  // Towards the front, as long as the parent is due later. Returns where it is now.
  std::size_t SiftUp(std::size_t position) {
    while (position > 0) {
      const std::size_t parent = (position - 1) / 2;
      if (heap_[parent]->deadline_ <= heap_[position]->deadline_) break;
      Swap(parent, position);
      position = parent;
    }
    return position;
  }

  // Towards the end, as long as a child is due earlier.
  void SiftDown(std::size_t position) {
    for (;;) {
      std::size_t least = position;
      for (const std::size_t child : {2 * position + 1, 2 * position + 2}) {
        if (child < heap_.size() && heap_[child]->deadline_ < heap_[least]->deadline_) least = child;
      }
      if (least == position) return;
      Swap(least, position);
      position = least;
    }
  }

  void Swap(std::size_t a, std::size_t b) {
    Entry* held = heap_[a];
    Place(a, heap_[b]);
    Place(b, held);
  }

  // No entry is due before its parent; that of i is at (i - 1) / 2.
  std::vector<Entry*> heap_;
};

}  // namespace mqttrpc::mqtt
