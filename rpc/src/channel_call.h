// One call on the calling side, with what its end needs.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <google/protobuf/message.h>
#include <asio/cancellation_signal.hpp>

#include "call_flow.h"
#include "call_table.h"
#include "client_chain.h"
#include "mqttrpc/mqtt/completion.h"
#include "stream_waiters.h"

namespace mqttrpc {

struct ChannelCall;

// What a call has beyond a plain request and a plain answer.
struct ClientFrames final : CallFlow {
  ClientFrames(ChannelCall& call_in, const FlowOptions& options, mqtt::TimePoint now)
      : CallFlow(options, now), call(call_in) {}

  ChannelCall& call;
  std::string instance;            // That answers; empty until it is known.
  std::size_t maximum_packet = 0;  // That it takes; 0: its accept has not come.
  bool asked_for_accept = false;   // Since it was heard without one.

  StreamWaiters waiters;

  std::optional<absl::Status> remote_end;  // What the responder ended with.
};

struct ChannelCall final : PendingCall {
  ChannelCall() = default;

  bool resumes() const override {
    // A pool may have given the opening frame to anyone.
    return frames != nullptr && (frames->accepted() || !frames->instance.empty());
  }

  bool accepted() const override { return frames != nullptr && frames->accepted(); }

  std::shared_ptr<const void> keeps;  // See PreparedCall.

  // Where the one reply goes; null if replies stream. Kept alive by `done` or `kept_reply`.
  google::protobuf::Message* reply = nullptr;
  std::shared_ptr<google::protobuf::Message> kept_reply;
  absl::AnyInvocable<void(absl::Status)> done;  // A stream's: null until Finish().
  std::optional<absl::Status> ended;            // A stream that has ended: how.
  std::shared_ptr<ClientChain> chain;           // Null: no interceptor follows it.
  bool writes_done = false;
  bool finished = false;  // Finish() was called.
  CallInfo info;          // Of a stream: its user's own is there when Finish() ends.
  std::atomic<std::uint64_t> lost = 0;
  std::atomic<std::uint64_t> reads = 0;  // Begun so far.

  std::unique_ptr<ClientFrames> frames;  // Null: so far all is plain.

  // One for each sending, since an abandoned one may end after the next began: each keeps
  // its own. Nearly always there is one only.
  asio::cancellation_signal first_abandon;
  std::shared_ptr<asio::cancellation_signal> later_abandon;

  asio::cancellation_signal& last_abandon() { return later_abandon == nullptr ? first_abandon : *later_abandon; }
  bool streams() const { return method->kind != MethodKind::kUnary; }
};

}  // namespace mqttrpc
