// Packets that wait for their acknowledgement, under their Packet Identifiers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "fifo.h"
#include "packets.h"

namespace mqttrpc::mqtt {

// Gives out unused Packet Identifiers in rising order (MQTT-2.2.1-3,
// MQTT-2.2.1-4) and finds what waits under one. Most are acknowledged in their
// order, so the ids in use lie in one run of the identifier space: O(1). Those that
// stay behind while later ones go are moved out of the run, into a map: O(log n).
// What all of it takes grows with what is in use only.
template <typename T>
class InFlight {
 public:
  // Empty if no identifier is free.
  std::optional<PacketId> Add(T item) {
    if (full()) return std::nullopt;
    while (true) {
      if (slots_.size() == kIds || gaps() > 2 * size_ + kFewGaps) LeaveBehind();
      if (!left_behind_.contains(IdAt(slots_.size()))) break;
      PushGap();
    }
    slots_.push(std::move(item));
    ++size_;
    return IdAt(slots_.size() - 1);
  }

  // Null if nothing waits under `id`. Valid until the next Add or Remove.
  T* Find(PacketId id) {
    if (std::optional<T>* slot = SlotOf(id)) return &**slot;
    const auto found = left_behind_.find(id);
    return found == left_behind_.end() ? nullptr : &found->second.item;
  }

  // Frees `id` and returns what waited under it.
  std::optional<T> Remove(PacketId id) {
    if (std::optional<T>* slot = SlotOf(id)) {
      std::optional<T> item = std::exchange(*slot, std::nullopt);
      --size_;
      while (!slots_.empty() && !slots_.front().has_value()) {
        slots_.pop();
        first_ = IdAt(1);
      }
      return item;
    }
    auto node = left_behind_.extract(id);
    if (node.empty()) return std::nullopt;
    --size_;
    return std::move(node.mapped().item);
  }

  // Calls `visit(PacketId, T&)` in the order of Add. `visit` must not add or remove.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    std::vector<std::pair<const PacketId, Straggler>*> oldest_first;
    oldest_first.reserve(left_behind_.size());
    for (auto& entry : left_behind_) oldest_first.push_back(&entry);
    std::sort(oldest_first.begin(), oldest_first.end(),
              [](const auto* a, const auto* b) { return a->second.number < b->second.number; });
    for (auto* entry : oldest_first) visit(entry->first, entry->second.item);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].has_value()) visit(IdAt(i), *slots_[i]);
    }
  }

  // Where Add() goes on, and how to let a new one go on there while it is empty().
  PacketId next() const { return IdAt(slots_.size()); }
  void StartAt(PacketId id) { first_ = id; }

  // Gives back the memory of an empty one, if it has room for more than `kept` items.
  void Trim(std::size_t kept) { slots_.Trim(kept); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == kIds; }  // Add() would find no identifier.

  // Identifiers that were freed and take a place still. Add() keeps them near 64 and two
  // for each in use.
  std::size_t gaps() const { return slots_.size() + left_behind_.size() - size_; }

  // What all of it takes, in places of kBytesPerPlace.
  std::size_t places() const { return slots_.size() + kPlacesOfStraggler * left_behind_.size(); }
  static constexpr std::size_t kBytesPerPlace = sizeof(std::optional<T>);

 private:
  struct Straggler {
    std::uint64_t number;  // In the order of Add.
    T item;
  };

  static constexpr std::size_t kIds = 65'535;  // 1-65,535; 0 is no identifier.
  static constexpr std::size_t kFewGaps = 64;
  static constexpr std::size_t kPlacesOfStraggler = 3;  // A node of a map.

  PacketId IdAt(std::size_t index) const { return static_cast<PacketId>((first_ - 1 + index) % kIds + 1); }

  // Null if nothing in the run waits under `id`.
  std::optional<T>* SlotOf(PacketId id) {
    if (id == 0) return nullptr;
    const std::size_t index = (static_cast<std::size_t>(id) + kIds - first_) % kIds;
    return index < slots_.size() && slots_[index].has_value() ? &slots_[index] : nullptr;
  }

  // Leaves out the id behind the run. The first of a run is in use.
  void PushGap() {
    if (slots_.empty()) {
      first_ = IdAt(1);
    } else {
      slots_.push(std::nullopt);
    }
  }

  // Starts a new run. It looks at no more places than were added since the last time,
  // and moves no item twice.
  void LeaveBehind() {
    const PacketId next = IdAt(slots_.size());
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].has_value()) left_behind_.try_emplace(IdAt(i), Straggler{last_number_++, *std::move(slots_[i])});
    }
    slots_.clear();
    first_ = next;
  }

  Fifo<std::optional<T>> slots_;               // slots_[i] is under IdAt(i); the first is in use.
  std::map<PacketId, Straggler> left_behind_;  // All older than the run.
  PacketId first_ = 1;
  std::uint64_t last_number_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mqttrpc::mqtt
