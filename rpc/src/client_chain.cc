#include "client_chain.h"

#include <utility>

#include "payload.h"
#include "status_wire.h"

namespace mqttrpc {

std::shared_ptr<ClientChain> ClientChain::Begin(std::shared_ptr<const ClientInterceptors> interceptors,
                                                ClientCallInfo& call) {
  Hooks::List hooks;
  for (const std::shared_ptr<ClientInterceptor>& each : *interceptors) {
    const absl::Status thrown = Guarded([&] {
      if (auto one = each->Begin(call)) hooks.push_back(std::move(one));
      return absl::OkStatus();
    });
    if (!thrown.ok()) call.Refuse(thrown);
    if (call.decided()) break;
  }
  if (hooks.empty() && !call.decided()) return nullptr;
  return std::shared_ptr<ClientChain>(new ClientChain(std::move(interceptors), std::move(hooks), call));
}

ClientChain::ClientChain(std::shared_ptr<const ClientInterceptors> interceptors, Hooks::List hooks,
                         ClientCallInfo& call)
    : interceptors_(std::move(interceptors)),
      hooks_(std::move(hooks)),
      refusal_(call.refusal()),
      answer_(call.TakeAnswer()),
      user_info_(std::exchange(call.options().info, &info_)) {}

ClientChain::~ClientChain() { EndUntold(absl::CancelledError("the call was dropped before it could end")); }

absl::Status ClientChain::Answer(google::protobuf::Message& reply) const {
  if (answer_->GetDescriptor() != reply.GetDescriptor()) {
    return absl::InternalError(absl::StrCat("an interceptor answered with a ", answer_->GetDescriptor()->full_name(),
                                            "; the reply is a ", reply.GetDescriptor()->full_name()));
  }
  reply.CopyFrom(*answer_);
  return absl::OkStatus();
}

absl::Status ClientChain::Sends(OutgoingMessage& request) {
  return hooks_.Inwards([&request](ClientCallInterceptor& each) { return each.OnSend(request); });
}

absl::Status ClientChain::Fail(absl::Status why) {
  if (!why.ok()) hooks_.Fail(WithOutcome(why, Outcome::kPerhaps));
  return why;
}

absl::Status ClientChain::WriteFirst(const google::protobuf::Message& request, ContentType content_type,
                                     std::string& payload) {
  OutgoingMessage message(request);
  if (absl::Status status = Sends(message); !status.ok()) return status;
  return WritePayload(message.get(), content_type, payload);
}

absl::Status ClientChain::WriteNext(const google::protobuf::Message& request, ContentType content_type,
                                    std::string& payload) {
  OutgoingMessage message(request);
  if (absl::Status status = Fail(Sends(message)); !status.ok()) return status;
  return WritePayload(message.get(), content_type, payload);
}

absl::Status ClientChain::ReceivedNext(google::protobuf::Message& reply) { return Fail(Received(reply)); }

absl::Status ClientChain::Received(google::protobuf::Message& reply) {
  return hooks_.Outwards([&reply](ClientCallInterceptor& each) { return each.OnReceive(reply); });
}

ClientChain::Done ClientChain::EndBefore(std::shared_ptr<ClientChain> chain, google::protobuf::Message* reply,
                                         Done done) {
  return [chain = std::move(chain), reply, done = std::move(done)](absl::Status status) mutable {
    chain->End(status, reply);
    done(std::move(status));
  };
}

void ClientChain::End(absl::Status& status, google::protobuf::Message* reply) {
  if (status.ok() && reply != nullptr) {
    status = Received(*reply);
    if (!status.ok()) status = WithOutcome(status, Outcome::kExecuted);
  }
  const bool failed = !status.ok();
  hooks_.End(status, [this](ClientCallInterceptor& each, absl::Status& end) { each.OnEnd(end, info_); });
  if (failed && status.ok() && reply != nullptr) reply->Clear();
  if (user_info_ != nullptr) *user_info_ = std::move(info_);
}

void ClientChain::EndUntold(absl::Status status) {
  hooks_.End(status, [this](ClientCallInterceptor& each, absl::Status& end) { each.OnEnd(end, info_); });
}

}  // namespace mqttrpc
