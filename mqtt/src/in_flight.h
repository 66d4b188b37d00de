// Packets that wait for their acknowledgement, under their Packet Identifiers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "packets.h"

namespace mqttrpc::mqtt {

// Gives out unused Packet Identifiers in rising order (MQTT-2.2.1-3,
// MQTT-2.2.1-4) and finds what waits under one. All operations are O(1): the ids
// in use lie in one run of the identifier space. One oldest packet that is never
// acknowledged stretches that run up to the maximum.
template <typename T>
class InFlight {
 public:
  // `maximum_run`: how many identifiers, used or not, may lie between the oldest in
  // use and the newest; no more than 65,535. It bounds the memory.
  explicit InFlight(std::size_t maximum_run = kIds) : maximum_run_(std::min(maximum_run, kIds)) {}

  // Empty if no identifier is free.
  std::optional<PacketId> Add(T item) {
    if (full()) return std::nullopt;
    slots_.emplace_back(std::move(item));
    ++size_;
    return IdAt(slots_.size() - 1);
  }

  // Null if nothing waits under `id`. Valid until the next Add or Remove.
  T* Find(PacketId id) {
    const std::size_t index = IndexOf(id);
    return index < slots_.size() && slots_[index].has_value() ? &*slots_[index] : nullptr;
  }

  // Frees `id` and returns what waited under it.
  std::optional<T> Remove(PacketId id) {
    if (Find(id) == nullptr) return std::nullopt;
    std::optional<T> item = std::exchange(slots_[IndexOf(id)], std::nullopt);
    --size_;
    while (!slots_.empty() && !slots_.front().has_value()) {
      slots_.pop_front();
      first_ = IdAt(1);
    }
    return item;
  }

  // Calls `visit(PacketId, T&)` in the order of Add. `visit` must not add or remove.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].has_value()) visit(IdAt(i), *slots_[i]);
    }
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // How many identifiers, used or not, lie between the oldest in use and the newest:
  // what it takes, in places of kBytesPerPlace.
  std::size_t places() const { return slots_.size(); }
  static constexpr std::size_t kBytesPerPlace = sizeof(std::optional<T>);

  bool full() const { return slots_.size() >= maximum_run_; }  // Add() would find no identifier.

 private:
  static constexpr std::size_t kIds = 65'535;  // 1-65,535; 0 is no identifier.

  PacketId IdAt(std::size_t index) const { return static_cast<PacketId>((first_ - 1 + index) % kIds + 1); }
  std::size_t IndexOf(PacketId id) const {
    if (id == 0) return kIds;
    return (static_cast<std::size_t>(id) + kIds - first_) % kIds;
  }

  std::size_t maximum_run_;
  std::deque<std::optional<T>> slots_;  // slots_[i] is under IdAt(i); the first is in use.
  PacketId first_ = 1;
  std::size_t size_ = 0;
};

}  // namespace mqttrpc::mqtt
