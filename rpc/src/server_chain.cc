#include "server_chain.h"

#include <utility>

namespace mqttrpc {

std::unique_ptr<ServerChain> ServerChain::Begin(std::shared_ptr<const ServerInterceptors> interceptors,
                                                ServerCallInfo& call) {
  Hooks::List hooks;
  for (const std::shared_ptr<ServerInterceptor>& each : *interceptors) {
    const absl::Status thrown = Guarded([&] {
      if (auto one = each->Begin(call)) hooks.push_back(std::move(one));
      return absl::OkStatus();
    });
    if (!thrown.ok()) call.Refuse(thrown);
    if (call.decided()) break;
  }
  if (hooks.empty()) return nullptr;
  return std::unique_ptr<ServerChain>(new ServerChain(std::move(interceptors), std::move(hooks)));
}

ServerChain::~ServerChain() {
  absl::Status status = absl::CancelledError("the call was dropped before it could end");
  End(status);
}

absl::Status ServerChain::Received(google::protobuf::Message& request) {
  return hooks_.Inwards([&request](ServerCallInterceptor& each) { return each.OnReceive(request); });
}

absl::Status ServerChain::Sends(OutgoingMessage& reply) {
  return hooks_.Outwards([&reply](ServerCallInterceptor& each) { return each.OnSend(reply); });
}

void ServerChain::End(absl::Status& status) {
  hooks_.End(status, [](ServerCallInterceptor& each, absl::Status& end) { each.OnEnd(end); });
}

}  // namespace mqttrpc
