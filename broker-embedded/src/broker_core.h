// What the connections of one shard have in common.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>

#include "buffer_pool.h"
#include "counters.h"
#include "memory_budget.h"
#include "mqttrpc/broker/options.h"
#include "router.h"
#include "text_map.h"

namespace mqttrpc::broker {

class ServerConnection;

// One shard's protocol state: no I/O, no time, one thread. Made before its
// connections and gone after them.
struct BrokerCore {
  explicit BrokerCore(const BrokerOptions& options_in)
      : options(options_in), budget(options_in.maximum_total_queued_bytes), router(counters) {}

  const BrokerOptions options;
  Counters counters;
  MemoryBudget budget;
  BufferPool buffers;
  Router router;
  TextMap<ServerConnection*> clients;  // Whose CONNECT was accepted, by client id.

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
