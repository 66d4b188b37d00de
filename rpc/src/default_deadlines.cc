#include "mqttrpc/rpc/default_deadlines.h"

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc {

std::unique_ptr<ClientCallInterceptor> DefaultDeadlines::Begin(ClientCallInfo& call) {
  if (call.options().timeout.count() != 0) return nullptr;
  const std::string_view service = call.service().name;
  const std::string full = absl::StrCat(mqtt::ToAbsl(service), "/", mqtt::ToAbsl(call.method().name));
  for (const std::string_view name : {std::string_view(full), service, std::string_view("*")}) {
    const auto found = timeouts_.find(name);
    if (found == timeouts_.end() || found->second.count() == 0) continue;
    call.options().timeout = found->second;
    break;
  }
  return nullptr;
}

}  // namespace mqttrpc
