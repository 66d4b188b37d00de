// An interceptor that writes one line for each call, on either side.
#pragma once

#include <memory>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/log.h"
#include "mqttrpc/rpc/interceptor.h"

namespace mqttrpc {

struct CallLogOptions {
  CallLogOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  mqtt::LogLevel succeeded = mqtt::LogLevel::kInfo;
  mqtt::LogLevel failed = mqtt::LogLevel::kWarning;

  // Also the text of errors, which handlers may have made of what a request says.
  bool texts = false;

  mqtt::Clock* clock = &mqtt::SystemClock();  // Borrowed, as long as the sink is.
};

// Lines, when a call has ended, such as
//   event=call side=client service=acme.Lamp method=On target=lamp-42 status=OK ms=1.734
//   event=call side=server service=acme.Lamp method=On caller=backend status=NOT_FOUND ms=0.069
// Never metadata or payloads. `ms` is from Begin() to OnEnd(): on the calling side the whole call,
// on the serving side the handler. A target or caller that is no id is quoted and escaped. Written on
// the thread of OnEnd(). A call of whose levels none is wanted costs nothing more.
class CallLog final : public ClientInterceptor, public ServerInterceptor {
 public:
  // `sink` is borrowed until channel or server is destroyed and its executors have run for the
  // last time.
  explicit CallLog(mqtt::LogSink& sink, CallLogOptions options = CallLogOptions()) : sink_(sink), options_(options) {}

  std::unique_ptr<ClientCallInterceptor> Begin(ClientCallInfo& call) override;
  std::unique_ptr<ServerCallInterceptor> Begin(ServerCallInfo& call) override;

 private:
  class OfClient;
  class OfServer;

  bool wanted() const { return sink_.Wants(options_.succeeded) || sink_.Wants(options_.failed); }
  void Write(std::string_view begin, const absl::Status& status, mqtt::TimePoint began) const;

  mqtt::LogSink& sink_;
  const CallLogOptions options_;
};

}  // namespace mqttrpc
