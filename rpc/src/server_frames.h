// What a call on the serving side has beyond a plain request and a plain answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include <google/protobuf/message.h>

#include "call_flow.h"
#include "mqttrpc/mqtt/completion.h"
#include "server_call.h"

namespace mqttrpc {

// The client's executor only.
struct ServerFrames final : CallFlow {
  ServerFrames(ServerCall::State& call_in, const FlowOptions& options, mqtt::TimePoint now)
      : CallFlow(options, now), call(call_in) {}

  ServerCall::State& call;
  std::size_t maximum_packet = 0;  // That the caller takes.
  bool waits_for_request = false;  // The one request is not whole yet: no handler runs.
  std::size_t counted_bytes = 0;   // In the dispatcher's sums.
  std::size_t counted_kept = 0;

  // What the handler's reader and writer wait for.
  google::protobuf::Message* read_into = nullptr;
  mqtt::Completion<bool> read_done;
  std::uint64_t read_number = 0;
  std::deque<mqtt::Completion<bool>> writes;
  std::uint64_t writes_told = 0;

  Metadata first_metadata;    // Goes with the first message.
  std::optional<Answer> end;  // Goes with the end, without its payload if that is a reply.
};

}  // namespace mqttrpc
