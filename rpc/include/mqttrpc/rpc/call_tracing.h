// An interceptor that makes calls spans of traces, on either side, by W3C Trace Context
// (https://www.w3.org/TR/trace-context/).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/random.h"
#include "mqttrpc/rpc/interceptor.h"
#include "mqttrpc/rpc/trace_context.h"

namespace mqttrpc {

// One call, on one side.
struct Span {
  enum class Kind { kClient, kServer };

  Span() = default;

  Kind kind = Kind::kClient;
  TraceContext context;
  std::optional<SpanId> parent;  // None: it is the trace's first.
  std::string name;              // "acme.Lamp/On"
  std::string peer;              // The target, or the caller.
  mqtt::TimePoint start, end;    // On the clock of the options: steady, not the wall's.
  absl::Status status;           // How the call ended.
};

// Takes the spans that are sampled, as they end. Any thread, several at a time; must return soon.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  // `span` lives until this returns.
  virtual void OnSpan(const Span& span) = 0;
};

struct CallTracingOptions {
  CallTracingOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // So many of the traces that begin here are sampled: 0 to 1. Others stay as they came.
  double sampled_roots = 1.0;

  // Borrowed, as long as the sink is.
  mqtt::Clock* clock = &mqtt::SystemClock();
  mqtt::Random* random = &mqtt::SystemRandom();
};

// A call continues the trace that its metadata names, or begins one. The other side, or the
// handler, finds in its metadata the span made for it: see ContinueTrace(). Calls that are not
// sampled hand the trace on and cost nothing more.
class CallTracing final : public ClientInterceptor, public ServerInterceptor {
 public:
  // `sink` is borrowed until channel or server is destroyed and its executors have run for the
  // last time.
  explicit CallTracing(TraceSink& sink, CallTracingOptions options = CallTracingOptions())
      : sink_(sink), options_(options) {}

  std::unique_ptr<ClientCallInterceptor> Begin(ClientCallInfo& call) override;
  std::unique_ptr<ServerCallInterceptor> Begin(ServerCallInfo& call) override;

 private:
  class OfClient;
  class OfServer;

  // The span of a call, which `metadata` names from then on; nothing if it is not sampled.
  std::optional<Span> NewSpan(Metadata& metadata) const;
  void End(Span& span, const absl::Status& status) const;

  TraceSink& sink_;
  const CallTracingOptions options_;
};

}  // namespace mqttrpc
