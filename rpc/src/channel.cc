#include "mqttrpc/rpc/channel.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "channel_impl.h"
#include "channel_stream.h"
#include "client_bus.h"
#include "mqttrpc/rpc/context.h"
#include "names.h"
#include "payload.h"
#include "text.h"

namespace mqttrpc {

using std::chrono::milliseconds;

Channel::Channel(mqtt::Client& client, ChannelOptions options)
    : impl_(std::make_shared<Impl>(std::make_shared<ClientBus>(client), &client, std::move(options))) {
  impl_->Open();
}

Channel::Channel(MessageBus& bus, ChannelOptions options)
    : impl_(std::make_shared<Impl>(Borrow(bus), nullptr, std::move(options))) {
  impl_->Open();
}

Channel::~Channel() { impl_->Close(); }

mqtt::Client* Channel::client() const { return impl_->client(); }

std::size_t Channel::calls_under_way() const { return impl_->calls_under_way(); }

namespace {

// A call that a handler makes for its own caller belongs to the same trace ...
void CarryTrace(const ServerContext& parent, Metadata& metadata) {
  if (metadata.Get("traceparent").has_value()) return;
  for (const std::string_view key : {"traceparent", "tracestate", "baggage"}) {
    if (const auto value = parent.metadata().Get(key)) metadata.Add(key, *value);
  }
}

// ... and ends no later.
absl::Status EndWith(const ServerContext& parent, mqtt::TimePoint now, milliseconds& timeout) {
  if (parent.cancelled()) return absl::CancelledError("the call that this one is made for is over");
  if (parent.deadline() == mqtt::kNever) return absl::OkStatus();
  const auto left = std::chrono::floor<milliseconds>(parent.deadline() - now);
  if (left < milliseconds(1)) {
    return absl::DeadlineExceededError("no time is left of the call that this one is made for");
  }
  timeout = std::min(timeout, left);
  return absl::OkStatus();
}

}  // namespace

Channel::PreparedCall Channel::Prepare(const ServiceInfo& service, const MethodInfo& method, std::string_view target,
                                       const google::protobuf::Message* request, CallOptions options) const {
  PreparedCall call;
  call.service = &service;
  call.method = &method;
  call.target = std::string(target);
  if (options.parent != nullptr) CarryTrace(*options.parent, options.metadata);
  if (impl_->interceptors() != nullptr) {
    ClientCallInfo info(service, method, target, request, options);
    call.chain = ClientChain::Begin(impl_->interceptors(), info);
  }
  if (options.timeout.count() == 0) options.timeout = method.timeout;
  const bool unary = method.kind == MethodKind::kUnary;
  if (options.timeout.count() == 0) options.timeout = unary ? impl_->options().default_timeout : kMaximumTimeout;
  call.status = impl_->options_status();
  if (call.status.ok() && options.retry.has_value()) call.status = CheckRetryPolicy(*options.retry);
  if (call.status.ok() && options.parent != nullptr) {
    call.status = EndWith(*options.parent, impl_->Now(), options.timeout);
  }
  if (call.status.ok() && call.chain != nullptr) call.status = call.chain->refusal();
  if (call.status.ok() && !IsId(target)) {
    call.status = absl::InvalidArgumentError(absl::StrCat("target ", Quoted(target), " is not [A-Za-z0-9_.-]{1,64}"));
  }
  if (call.status.ok() && IsGroupTarget(target) && target != kAnyInstance) {
    call.status =
        absl::UnimplementedError(absl::StrCat("target ", Quoted(target), ": calls to many are not there yet"));
  }
  if (call.status.ok() && (options.timeout < milliseconds(1) || options.timeout > kMaximumTimeout)) {
    call.status = absl::InvalidArgumentError(
        absl::StrCat("timeout is ", options.timeout.count(), " ms; 1 ms to 30 days are allowed"));
  }
  if (call.status.ok()) call.status = options.metadata.Check();
  if (call.status.ok() && options.one_way && !unary) {
    call.status = absl::InvalidArgumentError("one_way is for unary calls");
  }
  const bool answered = call.chain != nullptr && call.chain->answered();
  if (call.status.ok() && request != nullptr && !answered) {
    call.status = call.chain == nullptr ? WritePayload(*request, options.content_type, call.payload)
                                        : call.chain->WriteFirst(*request, options.content_type, call.payload);
  }
  call.options = std::move(options);
  return call;
}

void Channel::StartCall(const std::shared_ptr<Impl>& impl, PreparedCall prepared, google::protobuf::Message& reply,
                        absl::AnyInvocable<void(absl::Status)> done, asio::cancellation_slot slot) {
  absl::Status status = std::move(prepared.status);
  auto call = Impl::NewCall(std::move(prepared));
  call->reply = &reply;
  call->done = std::move(done);
  if (call->chain != nullptr) {
    call->done = ClientChain::EndBefore(call->chain, call->one_way() ? nullptr : &reply, std::move(call->done));
    if (status.ok() && call->chain->answered()) {
      status = call->chain->Answer(reply);
      return impl->EndLater(std::move(call), std::move(status));
    }
  }
  if (!status.ok()) return impl->EndLater(std::move(call), std::move(status));
  impl->Start(std::move(call), slot);
}

std::shared_ptr<MessageStream> Channel::Open(PreparedCall prepared, std::shared_ptr<google::protobuf::Message> reply) {
  absl::Status status = std::move(prepared.status);
  auto call = Impl::NewCall(std::move(prepared));
  call->reply = reply.get();
  call->kept_reply = std::move(reply);
  auto stream = std::make_shared<Stream>(impl_, call);
  if (!status.ok()) {
    call->ended = WithOutcome(std::move(status), Outcome::kNotExecuted);
    call->phase = PendingCall::Phase::kDone;  // Not to be cancelled.
  } else {
    impl_->Start(std::move(call), {});
  }
  return stream;
}

}  // namespace mqttrpc
