#include "mqttrpc/rpc/call_metrics.h"

namespace mqttrpc {
namespace {

// From a call's begin to its end.
class Measurement {
 public:
  Measurement(MetricsSink& sink, mqtt::Clock& clock, CallKind kind)
      : sink_(sink), clock_(clock), kind_(kind), began_(clock.Now()) {
    sink_.CallBegan(kind_);
  }
  void End(const absl::Status& status) const { sink_.CallEnded(kind_, status.code(), clock_.Now() - began_); }

 private:
  MetricsSink& sink_;
  mqtt::Clock& clock_;
  const CallKind kind_;
  const mqtt::TimePoint began_;
};

CallKind KindOf(CallSide side, std::string_view service, std::string_view method) {
  CallKind kind;
  kind.side = side;
  kind.service = service;
  kind.method = method;
  return kind;
}

}  // namespace

class CallMetrics::OfClient final : public ClientCallInterceptor {
 public:
  OfClient(const CallMetrics& all, const ClientCallInfo& call)
      : measurement_(all.sink_, all.clock_, KindOf(CallSide::kClient, call.service().name, call.method().name)) {}
  void OnEnd(absl::Status& status, CallInfo&) override { measurement_.End(status); }

 private:
  const Measurement measurement_;
};

class CallMetrics::OfServer final : public ServerCallInterceptor {
 public:
  OfServer(const CallMetrics& all, const ServerContext& context)
      : measurement_(all.sink_, all.clock_, KindOf(CallSide::kServer, context.service(), context.method())) {}
  void OnEnd(absl::Status& status) override { measurement_.End(status); }

 private:
  const Measurement measurement_;
};

std::unique_ptr<ClientCallInterceptor> CallMetrics::Begin(ClientCallInfo& call) {
  return std::make_unique<OfClient>(*this, call);
}

std::unique_ptr<ServerCallInterceptor> CallMetrics::Begin(ServerCallInfo& call) {
  return std::make_unique<OfServer>(*this, call.context());
}

}  // namespace mqttrpc
