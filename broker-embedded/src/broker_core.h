// What the connections of one shard have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <absl/functional/function_ref.h>
#include <absl/strings/str_cat.h>

#include "counters.h"
#include "incoming.h"
#include "memory_budget.h"
#include "mqttrpc/broker/options.h"
#include "neighbours.h"
#include "packet_writer.h"
#include "retained_store.h"
#include "router.h"
#include "session_store.h"
#include "sys_topics.h"
#include "unfinished_packets.h"

namespace mqttrpc::broker {

// One shard's protocol state: no I/O, no time, one thread. Made before its
// connections and gone after them.
struct BrokerCore {
  explicit BrokerCore(const BrokerOptions& options);

  // One of several: before anything else. See Neighbours.
  void Join(PostOffice& office, std::size_t index, std::function<void()> on_outgoing);

  const BrokerOptions options;
  Counters counters;
  MemoryBudget budget;
  UnfinishedPackets unfinished;
  Pool<Incoming> incoming;
  Outbox::Host outboxes;
  PacketWriter::Host writers;
  std::unique_ptr<Neighbours> neighbours;  // Null: there are no other shards.
  Router router;
  Pool<Session::Unreleased> unreleased;
  RetainedStore retained;
  SessionStore sessions;
  SysTopics sys;

  // When what is handled now happened.
  mqtt::TimePoint now{};

  // What the shard's turn has done so far: packets and Topic Filters handled, nodes and
  // retained messages looked at, queues filled. When that is kWorkPerTurn, about a
  // millisecond, the rest is for a later turn.
  std::size_t work = 0;
  std::size_t work_elsewhere = 0;  // Of all turns, what clients gave other shards to do.
  static constexpr std::size_t kWorkPerTurn = 5'000;

  // Keeps `message` if it is to be retained, and queues it for all it is for. `from`
  // is its publisher; null if that is gone. Returns the Reason Code for PUBACK.
  mqtt::ReasonCode Publish(const MessageRef& message, const Subscriber* from, mqtt::TimePoint at);

  // The same of a message that another shard has sent.
  void TakeForwarded(const MessageRef& message);

  // A figure of all shards: of the others, that of a moment ago.
  std::uint64_t OfAll(absl::FunctionRef<std::uint64_t(const Counters&)> figure) const {
    return figure(counters) + (neighbours == nullptr ? 0 : neighbours->Sum(figure));
  }
  std::uint64_t OfAll(Counter Counters::* counter) const {
    return OfAll([counter](const Counters& each) { return (each.*counter).value(); });
  }

  // Queues what waits in the session's retained_scans(), as far as it has room and the
  // turn has work left. Returns whether more could follow in the next turn.
  bool DeliverRetained(Session& session, mqtt::TimePoint at);

  // Everything of the core that waits for a time.
  mqtt::TimePoint next_deadline() const;
  void OnDeadline(mqtt::TimePoint at);  // May leave some for a later turn.

  bool Logs(mqtt::LogLevel level) const { return options.environment.log->Wants(level); }

  // Writes the pieces as one line, if the level is wanted.
  template <typename... Pieces>
  void Log(mqtt::LogLevel level, const Pieces&... pieces) const {
    if (Logs(level)) options.environment.log->Write(level, absl::StrCat(pieces...));
  }
};

// For log lines: quoted, and without the line breaks and control characters that
// a peer may have put into its client id.
std::string Quoted(std::string_view text);

}  // namespace mqttrpc::broker
