// How one call is made. What is out of range ends it with kInvalidArgument, not executed.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "mqttrpc/rpc/metadata.h"
#include "mqttrpc/rpc/retry_policy.h"

namespace mqttrpc {

class ServerContext;

// What a call's payload is written in: application/protobuf, or application/json by proto3's JSON
// mapping. The reply comes in the same.
enum class ContentType { kProtobuf, kJson };

// What came with a reply, or with an error of the other side.
struct CallInfo {
  CallInfo() = default;

  Metadata metadata;     // The responder's.
  std::string instance;  // Who answered (`rpc-from`), if it said.
};

struct CallOptions {
  CallOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // From the call to its reply or end, 1 ms to 30 days. 0: the method's, else the
  // channel's default; a stream then has no deadline.
  std::chrono::milliseconds timeout{0};

  Metadata metadata;
  ContentType content_type = ContentType::kProtobuf;

  // Whose call a handler makes this one for: it ends no later than that, is refused with
  // kCancelled or kDeadlineExceeded if that is over, and carries its trace context
  // (traceparent, tracestate, baggage) on, unless `metadata` has one. Only read when the
  // call is made.
  const ServerContext* parent = nullptr;

  // Instead of the channel's or the method's there.
  std::optional<RetryPolicy> retry;

  // Where nobody serves the target, or it is stopping: tries again until the deadline.
  bool wait_for_ready = false;

  // Wants no reply: completes with an empty one as soon as the broker took the
  // request. Unary methods only; the request has to fit into one packet.
  bool one_way = false;

  // Filled before the call completes, if not null; for a stream, before Finish() does. Must
  // live until then.
  CallInfo* info = nullptr;
};

}  // namespace mqttrpc
