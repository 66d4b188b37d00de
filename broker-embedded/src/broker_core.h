// What the connections of one shard have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>

#include "buffer_pool.h"
#include "counters.h"
#include "memory_budget.h"
#include "mqttrpc/broker/options.h"
#include "retained_store.h"
#include "router.h"
#include "session_store.h"
#include "sys_topics.h"

namespace mqttrpc::broker {

// A connection's packet of which a part has arrived.
class UnfinishedPacket {
 public:
  virtual std::size_t bytes_so_far() const = 0;
  virtual void GiveUp(mqtt::TimePoint now) = 0;  // Ends the connection.

 protected:
  ~UnfinishedPacket() = default;
};

// One shard's protocol state: no I/O, no time, one thread. Made before its
// connections and gone after them.
struct BrokerCore {
  explicit BrokerCore(const BrokerOptions& options);

  const BrokerOptions options;
  Counters counters;
  MemoryBudget budget;
  BufferPool buffers;
  Router router;
  RetainedStore retained;
  SessionStore sessions;
  SysTopics sys;

  // When what is handled now happened.
  mqtt::TimePoint now{};

  // What routing has cost since somebody set it to 0, in nodes looked at and queues
  // filled. Whoever has spent kWorkPerTurn, some milliseconds, goes on in a later turn.
  std::size_t work = 0;
  static constexpr std::size_t kWorkPerTurn = 5'000;

  // Connections on which a large packet has arrived in part, in the order it began.
  std::map<std::uint64_t, UnfinishedPacket*> unfinished;
  std::uint64_t last_unfinished = 0;

  // Keeps `message` if it is to be retained, and queues it for all it is for. `from`
  // is its publisher; null if that is gone. Returns the Reason Code for PUBACK.
  mqtt::ReasonCode Publish(const MessageRef& message, const Subscriber* from, mqtt::TimePoint at);

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
