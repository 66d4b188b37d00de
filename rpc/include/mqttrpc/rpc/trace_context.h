// Where in a trace a call stands, as W3C Trace Context says it (traceparent, tracestate).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mqttrpc/rpc/call_options.h"
#include "mqttrpc/rpc/context.h"
#include "mqttrpc/rpc/metadata.h"

namespace mqttrpc {

using TraceId = std::array<std::uint8_t, 16>;  // Never all zeros.
using SpanId = std::array<std::uint8_t, 8>;    // Likewise.

struct TraceContext {
  TraceContext() = default;

  TraceId trace_id{};
  SpanId span_id{};
  bool sampled = false;
  std::string state;  // `tracestate`, as it came.

  bool operator==(const TraceContext&) const = default;
};

// Lower case, as everywhere in traces.
std::string HexOf(const TraceId& id);
std::string HexOf(const SpanId& id);

// Without its state. Strict: nothing for what is not as the standard wants it. Of later
// versions than 00, what 00 knows.
std::optional<TraceContext> ParseTraceparent(std::string_view text);
std::string FormatTraceparent(const TraceContext& context);

// Whether `text` is a list as the standard wants it, of at most 32 members.
bool IsTracestate(std::string_view text);

// Nothing if there is no traceparent, a bad one, or more than one. A bad tracestate is
// as none.
std::optional<TraceContext> ReadTraceContext(const Metadata& metadata);
// In the place of what was there.
void WriteTraceContext(const TraceContext& context, Metadata& metadata);

// For handlers: makes a call of theirs a part of the trace of the one they serve.
void ContinueTrace(const ServerContext& from, CallOptions& to);

}  // namespace mqttrpc
