// The interceptors that follow one call of a server.
#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

#include "hook_chain.h"
#include "mqttrpc/rpc/interceptor.h"

namespace mqttrpc {

// Ends when it is destroyed, if it has not before.
class ServerChain {
 public:
  // Asks each, in order, whether it follows the call. Null: none does.
  static std::unique_ptr<ServerChain> Begin(std::shared_ptr<const ServerInterceptors> interceptors,
                                            ServerCallInfo& call);
  ~ServerChain();
  ServerChain(const ServerChain&) = delete;
  ServerChain& operator=(const ServerChain&) = delete;

  absl::Status Received(google::protobuf::Message& request);
  absl::Status Sends(OutgoingMessage& reply);
  void Fail(const absl::Status& why) { hooks_.Fail(why); }
  void End(absl::Status& status);

 private:
  using Hooks = HookChain<ServerCallInterceptor>;

  ServerChain(std::shared_ptr<const ServerInterceptors> interceptors, Hooks::List hooks)
      : interceptors_(std::move(interceptors)), hooks_(std::move(hooks)) {}

  const std::shared_ptr<const ServerInterceptors> interceptors_;  // Theirs may use them until the end.
  Hooks hooks_;
};

}  // namespace mqttrpc
