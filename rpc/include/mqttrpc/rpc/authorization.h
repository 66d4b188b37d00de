// An interceptor that lets in whom a table names.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mqttrpc/rpc/interceptor.h"

namespace mqttrpc {

// Who may call what.
struct AccessRule {
  AccessRule(std::string caller_in, std::string what_in) : caller(std::move(caller_in)), what(std::move(what_in)) {}

  std::string caller;  // An id as ServerContext::caller() has it, or "*".
  std::string what;    // "acme.Lamp/On", "acme.Lamp", or "*". Nothing else is a pattern.
};

// A call that no rule allows is refused with kPermissionDenied, not executed; without rules,
// all are. Put it first, but for what shall see refused calls too.
//
// A caller's id is what the topic of its request says. It is worth as much as the broker's
// ACL: a client may publish to `rpc1/q/+/+/+/{its client id}` and `rpc1/u/+/{its client id}`
// only. The rules are copied and never change: one object may serve any number of servers.
class Authorization final : public ServerInterceptor {
 public:
  explicit Authorization(const std::vector<AccessRule>& rules);

  // Whether a rule does. `service` is the full name, `method` that of the .proto. Any thread.
  bool Allows(std::string_view caller, std::string_view service, std::string_view method) const;

  std::unique_ptr<ServerCallInterceptor> Begin(ServerCallInfo& call) override;

 private:
  bool Allows(std::string_view caller, std::string_view what) const;

  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> callers_;  // By what they may call.
};

}  // namespace mqttrpc
