#include "mqttrpc/rpc/authorization.h"

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "text.h"

namespace mqttrpc {

Authorization::Authorization(const std::vector<AccessRule>& rules) {
  for (const AccessRule& rule : rules) callers_[rule.what].insert(rule.caller);
}

bool Authorization::Allows(std::string_view caller, std::string_view service, std::string_view method) const {
  const std::string full = absl::StrCat(mqtt::ToAbsl(service), "/", mqtt::ToAbsl(method));
  return Allows(caller, full) || Allows(caller, service) || Allows(caller, "*");
}

bool Authorization::Allows(std::string_view caller, std::string_view what) const {
  const auto found = callers_.find(what);
  return found != callers_.end() && (found->second.contains(caller) || found->second.contains(std::string_view("*")));
}

std::unique_ptr<ServerCallInterceptor> Authorization::Begin(ServerCallInfo& call) {
  const ServerContext& context = call.context();
  if (Allows(context.caller(), context.service(), context.method())) return nullptr;
  call.Refuse(
      absl::PermissionDeniedError(absl::StrCat("caller ", Quoted(context.caller()), " may not call ",
                                               mqtt::ToAbsl(context.service()), "/", mqtt::ToAbsl(context.method()))));
  return nullptr;
}

}  // namespace mqttrpc
