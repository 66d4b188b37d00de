// An interceptor that gives calls a timeout by their method.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "mqttrpc/rpc/interceptor.h"

namespace mqttrpc {

// For calls whose options name no timeout; goes before that of the .proto and the channel's.
// Streams too, which else have none. The table never changes: any thread.
class DefaultDeadlines final : public ClientInterceptor {
 public:
  using Table = std::map<std::string, std::chrono::milliseconds, std::less<>>;

  // By "acme.Lamp/On", else "acme.Lamp", else "*". 1 ms to 30 days: a call that gets another one
  // fails with kInvalidArgument, not executed. 0: as if it were not there.
  explicit DefaultDeadlines(Table timeouts) : timeouts_(std::move(timeouts)) {}

  std::unique_ptr<ClientCallInterceptor> Begin(ClientCallInfo& call) override;

 private:
  const Table timeouts_;
};

}  // namespace mqttrpc
