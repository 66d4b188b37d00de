#include "mqttrpc/rpc/interceptor.h"

#include <utility>

namespace mqttrpc {

google::protobuf::Message& OutgoingMessage::Change() {
  if (copy_ == nullptr) {
    copy_.reset(message_->New());
    copy_->CopyFrom(*message_);
    message_ = copy_.get();
  }
  return *copy_;
}

void CallBeginning::Refuse(absl::Status why) {
  if (decided()) return;
  refusal_ = why.ok() ? absl::InternalError("an interceptor refused the call with OK") : std::move(why);
}

void CallBeginning::Answer(const google::protobuf::Message& reply) {
  if (decided()) return;
  if (method_.kind != MethodKind::kUnary) return Refuse(absl::InternalError("an interceptor answered a stream"));
  answer_.reset(reply.New());
  answer_->CopyFrom(reply);
}

}  // namespace mqttrpc
