// The interceptors that follow one call of a channel.
#pragma once

#include <memory>
#include <string>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <google/protobuf/message.h>

#include "hook_chain.h"
#include "mqttrpc/mqtt/completion.h"
#include "mqttrpc/rpc/interceptor.h"

namespace mqttrpc {

// Ends when it is destroyed, if it has not before. Hooks run with no lock of the channel held.
class ClientChain {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  // Asks each, in order, whether it follows the call. Null: none does, nor has decided it.
  static std::shared_ptr<ClientChain> Begin(std::shared_ptr<const ClientInterceptors> interceptors,
                                            ClientCallInfo& call);
  ~ClientChain();
  ClientChain(const ClientChain&) = delete;
  ClientChain& operator=(const ClientChain&) = delete;

  // How one of them has decided the call, if one has.
  const absl::Status& refusal() const { return refusal_; }
  bool answered() const { return answer_ != nullptr; }
  absl::Status Answer(google::protobuf::Message& reply) const;

  // A request, as they leave it, appended to `payload`.
  absl::Status WriteFirst(const google::protobuf::Message& request, ContentType content_type, std::string& payload);
  // The same of a call that has begun, which therefore may have been executed.
  absl::Status WriteNext(const google::protobuf::Message& request, ContentType content_type, std::string& payload);
  absl::Status Received(google::protobuf::Message& reply);
  // The same of a stream, which ends with an error of theirs.
  absl::Status ReceivedNext(google::protobuf::Message& reply);

  // The responder's word about the call, before its end.
  CallInfo& info() { return info_; }

  // A `done` with the end of the call before it. `reply`: the call's one, alive until then, or null.
  static Done EndBefore(std::shared_ptr<ClientChain> chain, google::protobuf::Message* reply, Done done);

  // The end, of which nobody is told.
  void EndUntold(absl::Status status);

 private:
  using Hooks = HookChain<ClientCallInterceptor>;

  ClientChain(std::shared_ptr<const ClientInterceptors> interceptors, Hooks::List hooks, ClientCallInfo& call);
  absl::Status Sends(OutgoingMessage& request);
  absl::Status Fail(absl::Status why);
  void End(absl::Status& status, google::protobuf::Message* reply);

  const std::shared_ptr<const ClientInterceptors> interceptors_;  // Theirs may use them until the end.
  Hooks hooks_;
  const absl::Status refusal_;
  const std::unique_ptr<google::protobuf::Message> answer_;
  CallInfo info_;
  CallInfo* const user_info_;  // Until `done`.
};

}  // namespace mqttrpc
