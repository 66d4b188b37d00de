// An interceptor that counts and times calls, on either side.
#pragma once

#include <memory>
#include <string_view>

#include <absl/status/status.h>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/rpc/interceptor.h"

namespace mqttrpc {

enum class CallSide { kClient, kServer };

// What is counted apart. Of names that this process has in its .proto files: their number is
// not a peer's choice. The views are for the function that gets them: what it keeps, it copies.
struct CallKind {
  CallSide side = CallSide::kClient;
  std::string_view service;
  std::string_view method;
};

// Takes the measurements; MemoryMetrics is one. Any thread, several at a time; must return soon.
class MetricsSink {
 public:
  virtual ~MetricsSink() = default;

  // For each call once, then once. `took` is from Begin() to OnEnd(): on the calling side the
  // whole call, on the serving side the handler. Calls that a server refuses by itself are not seen.
  virtual void CallBegan(const CallKind& kind) = 0;
  virtual void CallEnded(const CallKind& kind, absl::StatusCode status, mqtt::Duration took) = 0;
};

class CallMetrics final : public ClientInterceptor, public ServerInterceptor {
 public:
  // Both are borrowed until channel or server is destroyed and its executors have run for the
  // last time.
  explicit CallMetrics(MetricsSink& sink, mqtt::Clock& clock = mqtt::SystemClock()) : sink_(sink), clock_(clock) {}

  std::unique_ptr<ClientCallInterceptor> Begin(ClientCallInfo& call) override;
  std::unique_ptr<ServerCallInterceptor> Begin(ServerCallInfo& call) override;

 private:
  class OfClient;
  class OfServer;

  MetricsSink& sink_;
  mqtt::Clock& clock_;
};

}  // namespace mqttrpc
