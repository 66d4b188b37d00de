#include "mqttrpc/rpc/call_log.h"

#include <chrono>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "mqttrpc/mqtt/status.h"
#include "names.h"
#include "text.h"

namespace mqttrpc {
namespace {

using mqtt::ToAbsl;

// Also what a caller gave and nobody has checked yet.
std::string SafeId(std::string_view id) { return IsId(id) ? std::string(id) : Quoted(id); }

}  // namespace

class CallLog::OfClient final : public ClientCallInterceptor {
 public:
  OfClient(const CallLog& log, std::string begin) : log_(log), begin_(std::move(begin)) {}
  void OnEnd(absl::Status& status, CallInfo&) override { log_.Write(begin_, status, began_); }

 private:
  const CallLog& log_;
  const std::string begin_;
  const mqtt::TimePoint began_ = log_.options_.clock->Now();
};

class CallLog::OfServer final : public ServerCallInterceptor {
 public:
  OfServer(const CallLog& log, ServerContext& context) : log_(log), context_(context) {}
  void OnEnd(absl::Status& status) override {
    log_.Write(absl::StrCat("side=server service=", ToAbsl(context_.service()), " method=", ToAbsl(context_.method()),
                            " caller=", SafeId(context_.caller())),
               status, began_);
  }

 private:
  const CallLog& log_;
  ServerContext& context_;
  const mqtt::TimePoint began_ = log_.options_.clock->Now();
};

std::unique_ptr<ClientCallInterceptor> CallLog::Begin(ClientCallInfo& call) {
  if (!wanted()) return nullptr;
  return std::make_unique<OfClient>(*this, absl::StrCat("side=client service=", ToAbsl(call.service().name), " method=",
                                                        ToAbsl(call.method().name), " target=", SafeId(call.target())));
}

std::unique_ptr<ServerCallInterceptor> CallLog::Begin(ServerCallInfo& call) {
  if (!wanted()) return nullptr;
  return std::make_unique<OfServer>(*this, call.context());
}

void CallLog::Write(std::string_view begin, const absl::Status& status, mqtt::TimePoint began) const {
  const mqtt::LogLevel level = status.ok() ? options_.succeeded : options_.failed;
  if (!sink_.Wants(level)) return;
  const std::chrono::duration<double, std::milli> took = options_.clock->Now() - began;
  std::string line = absl::StrFormat("event=call %s status=%s ms=%.3f", ToAbsl(begin),
                                     absl::StatusCodeToString(status.code()), took.count());
  if (options_.texts && !status.ok()) absl::StrAppend(&line, " text=", Quoted(mqtt::ToStd(status.message())));
  sink_.Write(level, line);
}

}  // namespace mqttrpc
