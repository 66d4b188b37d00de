// How many bytes the broker holds for its clients, and how many it may.
#pragma once

#include <algorithm>
#include <cstddef>

#include "spare_blocks.h"

namespace mqttrpc::broker {

// Marks make the chain of back-pressure (docs/decisions/0011-shares-of-what-is-left.md).
// They are about what is kept; what only arrives has a bound of its own, see
// UnfinishedPackets. Above five eighths nothing more is kept that lasts: for those who
// take nothing, disconnected and stalled clients, and retained messages, subscriptions,
// large sessions; who takes messages has a small queue still. At three quarters
// publishers are no longer read from until one half is free again. At the limit new
// messages are dropped.
//
// One shard's thread only. Of several shards each has a budget with the limit of all, and is
// told from turn to turn what the others hold; where that does not count, it has its part.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit, std::size_t shards = 1)
      : limit_(limit), part_(limit / shards), spares_(std::min(part_ / 32, kMostSpare)) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // Where messages and large packets have their memory from. What is spare is held for
  // nobody and counts for nothing.
  mqtt::SpareBlocks& spares() { return spares_; }

  void Take(std::size_t bytes) { used_ += bytes; }
  void Give(std::size_t bytes) { used_ -= bytes; }

  // The same for what has arrived and was not handled yet.
  void TakeArriving(std::size_t bytes) {
    used_ += bytes;
    arriving_ += bytes;
  }
  void GiveArriving(std::size_t bytes) {
    used_ -= bytes;
    arriving_ -= bytes;
  }

  // What other shards keep, with what is on its way between shards; and what arrives there.
  void set_elsewhere(std::size_t kept, std::size_t arriving) {
    elsewhere_ = kept;
    arriving_elsewhere_ = arriving;
  }
  // So much of that is charged here from now on.
  void OnCameHere(std::size_t bytes) { elsewhere_ -= std::min(elsewhere_, bytes); }
  std::size_t arriving_elsewhere() const { return arriving_elsewhere_; }

  std::size_t used() const { return used_; }  // Here.
  std::size_t kept_here() const { return used_ - arriving_; }
  std::size_t limit() const { return limit_; }
  std::size_t part() const { return part_; }  // Of the limit; of one shard: all.
  bool exhausted() const { return !HasRoomFor(1); }
  bool HasRoomFor(std::size_t bytes) const { return used_ + elsewhere_ + arriving_elsewhere_ + bytes <= limit_; }
  bool tight() const { return kept() >= limit_ - limit_ / 4; }
  bool relaxed() const { return kept() <= limit_ / 2; }

  // Whether more of what lasts must be refused, and to one who holds so much of it: a
  // little everyone may have.
  bool lasting_full() const { return !HasRoomBelowMark(0); }
  // The same without one message of `bytes` that has come just now.
  bool HasRoomBelowMark(std::size_t bytes) const { return kept() < LastingMark() + bytes; }
  // Whether so much more may be kept that lasts.
  bool HasRoomForLasting(std::size_t bytes) const { return kept() + bytes < LastingMark(); }
  bool RefusesLasting(std::size_t held) const { return held >= kSmallHolding && lasting_full(); }

  // What a new session brings, its client id and its will: it may stay for days.
  bool RefusesSession(std::size_t bytes) const { return exhausted() || (bytes > kSmallSession && bytes > IdleShare()); }

  // Whether one more subscription must be refused, to one whose take `held` of the
  // `all` that there are: they must leave room for messages, and for other clients'.
  bool RefusesSubscription(std::size_t all, std::size_t held) const {
    return all >= limit_ / 2 || (all >= limit_ / 4 && held >= kSmallHolding) || RefusesLasting(held);
  }

  // What one client that takes nothing at the moment may hold: a share of what is
  // left, so that no number of them can fill the whole.
  std::size_t IdleShare() const { return lasting_full() ? 0 : ActiveShare(); }

  // The same of one that does take messages, however slowly: a little it always may.
  std::size_t ActiveShare() const { return std::max(kSmallQueue, lasting_full() ? 0 : (LastingMark() - kept()) / 4); }

 private:
  std::size_t kept() const { return kept_here() + elsewhere_; }
  std::size_t LastingMark() const { return limit_ / 8 * 5; }

  static constexpr std::size_t kMostSpare = std::size_t{8} * 1024 * 1024;
  static constexpr std::size_t kSmallQueue = std::size_t{64} * 1024;
  static constexpr std::size_t kSmallHolding = std::size_t{4} * 1024;
  static constexpr std::size_t kSmallSession = 512;

  const std::size_t limit_;
  const std::size_t part_;
  std::size_t elsewhere_ = 0;
  std::size_t arriving_elsewhere_ = 0;
  std::size_t used_ = 0;
  std::size_t arriving_ = 0;  // Of it.
  mqtt::SpareBlocks spares_;
};

}  // namespace mqttrpc::broker
