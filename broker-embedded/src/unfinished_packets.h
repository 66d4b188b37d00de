// What has arrived and was not handled yet: parts of packets, and whole ones that wait
// for their turn.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "memory_budget.h"
#include "mqttrpc/mqtt/clock.h"

namespace mqttrpc::broker {

// What has arrived of a packet is memory of all, before anyone knows what it is. While
// all parts together have more than a quarter of it, the largest gives way; of several
// shards each may have its part of that, or one packet
// (docs/decisions/0010-large-packets.md). What waits for its turn is bounded by reading
// less at once: a share of what a sixteenth of it has left. One shard's thread.
class UnfinishedPackets {
 public:
  enum class Kind : std::uint8_t {
    kPart,     // Of a packet, whose rest has not arrived.
    kWaiting,  // For its turn: not more than a read.
    kChoked,   // The same, and until its client takes answers: kept like those.
  };

  // A connection's one. Must be Set() to 0 before it goes.
  class Packet {
   public:
    Packet() = default;
    Packet(const Packet&) = delete;
    Packet& operator=(const Packet&) = delete;

    virtual ~Packet() = default;
    virtual void GiveUp(mqtt::TimePoint now) = 0;  // Ends the connection.

   private:
    friend class UnfinishedPackets;
    std::size_t bytes_ = 0;
    Kind kind_ = Kind::kPart;
    std::uint64_t key_ = 0;  // Among large_; 0: not there.
  };

  // Parts of so many bytes are never given up.
  static constexpr std::size_t kSmall = std::size_t{4} * 1024;

  UnfinishedPackets(MemoryBudget& budget, std::size_t maximum_packet_size)
      : budget_(budget),
        most_parts_(std::max(budget.part() / 4, std::min(maximum_packet_size + kBesides, budget.limit() / 4))) {}
  UnfinishedPackets(const UnfinishedPackets&) = delete;
  UnfinishedPackets& operator=(const UnfinishedPackets&) = delete;

  // `packet` takes so many bytes of memory now.
  void Set(Packet& packet, std::size_t bytes, Kind kind) {
    Give(packet.kind_, packet.bytes_);
    Take(kind, bytes);
    packet.bytes_ = bytes;
    packet.kind_ = kind;
    const bool large = bytes > kSmall && kind == Kind::kPart;
    if (large == (packet.key_ != 0)) return;
    if (large) {
      packet.key_ = ++last_key_;
      large_[packet.key_] = &packet;
    } else {
      large_.erase(std::exchange(packet.key_, 0));
    }
  }

  // Which has to go, now that `packet` has grown: the largest, the oldest of those. Null
  // if none has. Small ones never have to.
  Packet* Surplus(const Packet& packet) const {
    if (packet.key_ == 0 || !(AreTooMany() || budget_.exhausted())) return nullptr;
    return std::max_element(large_.begin(), large_.end(),
                            [](const auto& a, const auto& b) { return a.second->bytes_ < b.second->bytes_; })
        ->second;
  }

  // How much of a stream to read at once, in bytes.
  std::size_t ReadRoom() const {
    const std::size_t most = budget_.part() / 16;
    return std::clamp((most - std::min(waiting_, most)) / 16, kLeastRead, kMostRead);
  }

  static std::size_t bytes(const Packet& packet) { return packet.bytes_; }

 private:
  bool AreTooMany() const {
    if (parts_ <= budget_.part() / 4) return false;
    return parts_ > most_parts_ || parts_ + budget_.arriving_elsewhere() > budget_.limit() / 4;
  }

  static constexpr std::size_t kBesides = std::size_t{64} * 1024;  // Room around a packet, and small parts of others.
  static constexpr std::size_t kLeastRead = 512;
  static constexpr std::size_t kMostRead = std::size_t{64} * 1024;

  void Take(Kind kind, std::size_t bytes) {
    if (kind == Kind::kChoked) return budget_.Take(bytes);
    budget_.TakeArriving(bytes);
    (kind == Kind::kWaiting ? waiting_ : parts_) += bytes;
  }
  void Give(Kind kind, std::size_t bytes) {
    if (kind == Kind::kChoked) return budget_.Give(bytes);
    budget_.GiveArriving(bytes);
    (kind == Kind::kWaiting ? waiting_ : parts_) -= bytes;
  }

  MemoryBudget& budget_;
  const std::size_t most_parts_;
  std::size_t parts_ = 0;
  std::size_t waiting_ = 0;
  std::map<std::uint64_t, Packet*> large_;  // In the order they began.
  std::uint64_t last_key_ = 0;
};

}  // namespace mqttrpc::broker
