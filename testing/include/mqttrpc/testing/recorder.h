// Every packet between the clients of a world and its broker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mqttrpc/testing/recorded_packet.h"

namespace mqttrpc::testing {

// Something that happened to a connection: "connected", "refused", "cut"; "closed by
// client" or "dropped by broker" when one side ended it, then "over" when the other
// side was told.
struct RecordedEvent {
  RecordedEvent() = default;

  std::string client;
  std::uint64_t connection = 0;  // 0: none came about.
  mqtt::Duration time{};
  std::string what;
};

// Keeps copies in the order the packets were sent, whatever became of them after.
// Dropped ones are here too, and say so in `fault`. Used on the world's thread. What it
// returns are copies as well: they stay as they are while the world goes on.
class Recorder {
 public:
  // Beyond it the oldest are forgotten.
  static constexpr std::size_t kDefaultLimit = 100'000;
  void set_limit(std::size_t entries) { limit_ = entries; }

  // All packets, or those of one client, one way. `kind` picks among them.
  std::vector<RecordedPacket> Packets() const;
  std::vector<RecordedPacket> From(std::string_view client) const;
  std::vector<RecordedPacket> From(std::string_view client, PacketKind kind) const;
  std::vector<RecordedPacket> To(std::string_view client) const;
  std::vector<RecordedPacket> To(std::string_view client, PacketKind kind) const;
  std::vector<RecordedPacket> Where(const std::function<bool(const RecordedPacket&)>& wanted) const;

  // How many packets there are of a kind, both ways, all clients.
  std::size_t Count(PacketKind kind) const;

  // Connections that came and went, of all clients.
  std::vector<RecordedEvent> Events() const;

  // Called for each packet and each event as they happen, from now on. Must not
  // change the world.
  void Watch(std::function<void(const RecordedPacket&)> on_packet, std::function<void(const RecordedEvent&)> on_event);

  // Forgets what was recorded, so that a test looks only at what comes next.
  void Clear() { entries_.clear(); }

  // All of it, a line each, events too; only the last `lines` if there are more.
  std::string ToString(std::size_t lines = SIZE_MAX) const;

  // For the world.
  void Add(RecordedPacket packet);
  void Add(RecordedEvent event);

 private:
  using Entry = std::variant<RecordedPacket, RecordedEvent>;

  void Trim();

  std::size_t limit_ = kDefaultLimit;
  std::function<void(const RecordedPacket&)> on_packet_;
  std::function<void(const RecordedEvent&)> on_event_;
  std::deque<Entry> entries_;
};

std::ostream& operator<<(std::ostream& out, const Recorder& recorder);

}  // namespace mqttrpc::testing
