#include "mqttrpc/rpc/call_tracing.h"

#include <algorithm>
#include <span>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc {
namespace {

template <typename Id>
Id NewId(mqtt::Random& random) {
  Id id{};
  do {
    random.Fill(std::as_writable_bytes(std::span(id)));
  } while (id == Id{});
  return id;
}

std::string NameOf(std::string_view service, std::string_view method) {
  return absl::StrCat(mqtt::ToAbsl(service), "/", mqtt::ToAbsl(method));
}

}  // namespace

class CallTracing::OfClient final : public ClientCallInterceptor {
 public:
  OfClient(const CallTracing& all, Span span) : all_(all), span_(std::move(span)) {}
  void OnEnd(absl::Status& status, CallInfo&) override { all_.End(span_, status); }

 private:
  const CallTracing& all_;
  Span span_;
};

class CallTracing::OfServer final : public ServerCallInterceptor {
 public:
  OfServer(const CallTracing& all, Span span) : all_(all), span_(std::move(span)) {}
  void OnEnd(absl::Status& status) override { all_.End(span_, status); }

 private:
  const CallTracing& all_;
  Span span_;
};

std::optional<Span> CallTracing::NewSpan(Metadata& metadata) const {
  Span span;
  if (std::optional<TraceContext> parent = ReadTraceContext(metadata)) {
    span.context = std::move(*parent);
    span.parent = span.context.span_id;
  } else {
    constexpr double kOne = 1ULL << 53;
    span.context.trace_id = NewId<TraceId>(*options_.random);
    span.context.sampled = static_cast<double>(options_.random->Next() >> 11) < options_.sampled_roots * kOne;
  }
  span.context.span_id = NewId<SpanId>(*options_.random);
  WriteTraceContext(span.context, metadata);
  if (!span.context.sampled) return std::nullopt;
  span.start = options_.clock->Now();
  return span;
}

void CallTracing::End(Span& span, const absl::Status& status) const {
  span.end = options_.clock->Now();
  span.status = status;
  sink_.OnSpan(span);
}

std::unique_ptr<ClientCallInterceptor> CallTracing::Begin(ClientCallInfo& call) {
  std::optional<Span> span = NewSpan(call.options().metadata);
  if (!span.has_value()) return nullptr;
  span->kind = Span::Kind::kClient;
  span->name = NameOf(call.service().name, call.method().name);
  span->peer = std::string(call.target());
  return std::make_unique<OfClient>(*this, std::move(*span));
}

std::unique_ptr<ServerCallInterceptor> CallTracing::Begin(ServerCallInfo& call) {
  std::optional<Span> span = NewSpan(call.metadata());
  if (!span.has_value()) return nullptr;
  span->kind = Span::Kind::kServer;
  span->name = NameOf(call.context().service(), call.context().method());
  span->peer = std::string(call.context().caller());
  return std::make_unique<OfServer>(*this, std::move(*span));
}

}  // namespace mqttrpc
