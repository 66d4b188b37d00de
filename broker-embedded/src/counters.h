// What a broker counts.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mqttrpc::broker {

// Written on the shard's thread only, read on any: no locked instruction needed.
class Counter {
 public:
  void Add(std::uint64_t n = 1) { Set(value() + n); }
  void Set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Why a message did not reach somebody it was for.
enum class DropReason : std::uint8_t {
  kQueueFull,     // The receiver's own limits.
  kMemory,        // The broker's limit for all.
  kExpired,       // Message Expiry Interval (MQTT-3.3.2-5).
  kTooLarge,      // For the receiver's Maximum Packet Size (MQTT-3.1.2-25).
  kNoReceiver,    // A share group with nobody there to take it, or its end.
  kSessionEnded,  // It still waited for a session that expired or began anew.
  kDisconnected,  // QoS 0 that waited when the connection ended.
  kRetainedFull,  // To be retained, and no room for it: it reached nobody.
  kTooCostly,     // Its topic leads to too many Topic Filters with wildcards.
};
inline constexpr std::size_t kDropReasons = 9;

// As in `$SYS/broker/messages/dropped/{name}`.
constexpr std::string_view NameOf(DropReason reason) {
  constexpr std::array<std::string_view, kDropReasons> kNames = {"queue_full",   "memory",        "expired",
                                                                 "too_large",    "no_receiver",   "session_ended",
                                                                 "disconnected", "retained_full", "too_costly"};
  return kNames[static_cast<std::size_t>(reason)];
}

struct Counters {
  Counter streams;  // Accepted as connections or not yet.
  Counter connections;
  Counter sessions;
  Counter subscriptions;
  Counter retained_messages;
  Counter memory_used;
  Counter memory_kept;  // Of it, what does not just arrive.
  Counter messages_received;
  Counter messages_sent;
  Counter bytes_received;
  Counter bytes_sent;
  Counter connections_refused;
  Counter sessions_expired;
  std::array<Counter, kDropReasons> dropped;

  Counter& Dropped(DropReason reason) { return dropped[static_cast<std::size_t>(reason)]; }
  std::uint64_t messages_dropped() const {
    std::uint64_t sum = 0;
    for (const Counter& each : dropped) sum += each.value();
    return sum;
  }
};

}  // namespace mqttrpc::broker
