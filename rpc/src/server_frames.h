// What a call on the serving side has beyond a plain request and a plain answer.
#pragma once

#include <cstddef>
#include <optional>

#include "call_flow.h"
#include "server_call.h"
#include "stream_waiters.h"

namespace mqttrpc {

// The client's executor only.
struct ServerFrames final : CallFlow {
  ServerFrames(ServerCall::State& call_in, const FlowOptions& options, mqtt::TimePoint now)
      : CallFlow(options, now), call(call_in) {}

  ServerCall::State& call;
  bool waits_for_request = false;  // The one request is not whole yet: no handler runs.
  std::size_t counted_bytes = 0;   // In the dispatcher's sums.
  std::size_t counted_kept = 0;

  StreamWaiters waiters;      // The handler's.
  Metadata first_metadata;    // Goes with the first message.
  std::optional<Answer> end;  // Goes with the end, without its payload if that is a reply.
};

}  // namespace mqttrpc
