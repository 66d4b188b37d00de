#include "mqttrpc/rpc/generic.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <google/protobuf/empty.pb.h>
#include <asio/dispatch.hpp>

#include "described_service.h"
#include "mqttrpc/mqtt/status.h"
#include "text.h"

namespace mqttrpc {
namespace {

namespace gpb = google::protobuf;

// Of a method that does not exist: its call fails before it begins.
constexpr MethodInfo kNoMethod{.name = "?", .kind = MethodKind::kBidiStreaming};

// By name: a generated message is as good as a dynamic one.
absl::Status CheckType(const gpb::Message& message, const gpb::Descriptor& wanted, std::string_view what,
                       const gpb::MethodDescriptor& method) {
  const std::string name(message.GetDescriptor()->full_name());
  if (name == std::string_view(wanted.full_name())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(mqtt::ToAbsl(what), " of ", std::string(method.full_name()), " is a ",
                                                 name, "; it must be a ", std::string(wanted.full_name())));
}

WrittenMessage PrepareAs(MessageStream& stream, const gpb::Message& message, absl::Status type) {
  if (type.ok()) return stream.Prepare(message);
  WrittenMessage written;
  written.status = std::move(type);
  return written;
}

}  // namespace

// --- The calling side

GenericMessage GenericClientStream::NewReply() const {
  return service_->New(method_ == nullptr ? *gpb::Empty::descriptor() : *method_->output_type());
}

WrittenMessage GenericClientStream::Prepare(const gpb::Message& request) const {
  if (method_ == nullptr) return WrittenMessage();
  return PrepareAs(*stream(), request, CheckType(request, *method_->input_type(), "request", *method_));
}

GenericMessage GenericClientStream::TakeReply(const std::shared_ptr<const DescribedService>& service,
                                              gpb::Message* reply) {
  if (reply == nullptr) return GenericMessage();
  GenericMessage taken = service->New(*reply->GetDescriptor());
  taken->GetReflection()->Swap(taken.get(), reply);
  return taken;
}

struct GenericStub::Prepared {
  Prepared() = default;

  std::shared_ptr<Channel::Impl> channel;
  Channel::PreparedCall call;
  GenericMessage reply;
};

GenericStub::GenericStub(Channel& channel, const gpb::ServiceDescriptor& descriptor, std::string_view target)
    : channel_(&channel), service_(std::make_shared<DescribedService>(descriptor)), target_(target) {}

const gpb::ServiceDescriptor& GenericStub::descriptor() const { return service_->descriptor(); }

GenericMessage GenericStub::NewRequest(std::string_view method) const {
  const gpb::MethodDescriptor* const found = service_->Find(method);
  return found == nullptr ? GenericMessage() : service_->New(*found->input_type());
}

Channel::PreparedCall GenericStub::PrepareFor(const gpb::MethodDescriptor* method, std::string_view name,
                                              const gpb::Message* request, bool unary, CallOptions options) const {
  absl::Status status;
  const MethodInfo* info = &kNoMethod;
  if (method == nullptr) {
    status = absl::UnimplementedError(
        absl::StrCat("service ", mqtt::ToAbsl(service_->info().name), " has no method ", Quoted(name)));
  } else {
    info = &service_->info().methods[static_cast<std::size_t>(method->index())];
    const bool one_request = !info->streams_requests();
    if (unary != (info->kind == MethodKind::kUnary)) {
      status = absl::InvalidArgumentError(absl::StrCat(
          std::string(method->full_name()), unary ? " streams: it wants Open()" : " does not stream: it wants Call()"));
    } else if (one_request != (request != nullptr)) {
      status = absl::InvalidArgumentError(
          absl::StrCat(std::string(method->full_name()),
                       one_request ? " wants its request in Open()" : " wants its requests in Write()"));
    } else if (request != nullptr) {
      status = CheckType(*request, *method->input_type(), "request", *method);
    }
  }
  Channel::PreparedCall call;
  if (status.ok()) {
    call = channel_->Prepare(service_->info(), *info, target_, request, std::move(options));
  } else {  // No call that interceptors could follow.
    call.status = std::move(status);
    call.service = &service_->info();
    call.method = info;
    call.target = target_;
    call.options = std::move(options);
  }
  call.keeps = service_;
  return call;
}

std::shared_ptr<GenericStub::Prepared> GenericStub::Prepare(std::string_view method, const gpb::Message& request,
                                                            CallOptions options) const {
  const gpb::MethodDescriptor* const found = service_->Find(method);
  auto prepared = std::make_shared<Prepared>();
  prepared->channel = channel_->impl_;
  prepared->call = PrepareFor(found, method, &request, true, std::move(options));
  prepared->reply = service_->New(found == nullptr ? *gpb::Empty::descriptor() : *found->output_type());
  return prepared;
}

void GenericStub::Start(Prepared& call, mqtt::Completion<absl::StatusOr<GenericMessage>> done) {
  const asio::cancellation_slot slot = done.slot();
  gpb::Message& into = *call.reply;
  Channel::StartCall(
      call.channel, std::move(call.call), into,
      [done = std::move(done), reply = std::move(call.reply)](absl::Status status) mutable {
        if (status.ok()) {
          done(std::move(reply));
        } else {
          done(std::move(status));
        }
      },
      slot);
}

GenericClientStream GenericStub::Open(std::string_view method, const gpb::Message* request, CallOptions options) const {
  const gpb::MethodDescriptor* const found = service_->Find(method);
  std::shared_ptr<gpb::Message> reply;
  if (found != nullptr && !found->server_streaming()) reply = service_->New(*found->output_type());
  auto stream = channel_->Open(PrepareFor(found, method, request, false, std::move(options)), reply);
  return GenericClientStream(std::move(stream), service_, found, std::move(reply));
}

// --- The serving side

GenericServerCall::GenericServerCall(std::shared_ptr<const DescribedService> service,
                                     const gpb::MethodDescriptor& method, ServerCall call)
    : service_(std::move(service)),
      method_(method),
      call_(std::move(call)),
      request_(service_->New(*method.input_type())),
      reply_(service_->New(*method.output_type())),
      stream_(call_.stream()) {}

GenericMessage GenericServerCall::NewReply() const { return service_->New(*method_.output_type()); }

GenericMessage GenericServerCall::NewRequest() const { return service_->New(*method_.input_type()); }

WrittenMessage GenericServerCall::Prepare(const gpb::Message& reply) const {
  absl::Status type = CheckType(reply, *method_.output_type(), "reply", method_);
  if (!type.ok()) type = absl::InternalError(type.message());  // Not the caller's fault.
  return PrepareAs(*stream_, reply, std::move(type));
}

void GenericServerCall::FinishHere(const absl::Status& status) {
  call_.Finish(status, method_.server_streaming() ? nullptr : reply_.get());
}

void GenericServerCall::Finish(absl::Status status) {
  asio::dispatch(context().executor(),
                 [self = shared_from_this(), status = std::move(status)] { self->FinishHere(status); });
}

asio::awaitable<void> GenericServerCall::Answer(asio::awaitable<absl::Status> handler,
                                                std::shared_ptr<GenericServerCall> call) {
  try {
    const absl::Status status = co_await std::move(handler);
    call->FinishHere(status);
  } catch (...) {
    call->call_.FinishWithException(std::current_exception());
  }
}

GenericService::GenericService(const gpb::ServiceDescriptor& descriptor, Coroutine handler)
    : service_(std::make_shared<DescribedService>(descriptor)), coroutine_(std::move(handler)) {}

GenericService::GenericService(const gpb::ServiceDescriptor& descriptor, Callback handler)
    : service_(std::make_shared<DescribedService>(descriptor)), callback_(std::move(handler)) {}

const ServiceInfo& GenericService::info() const { return service_->info(); }

void GenericService::Serve(std::size_t method, ServerCall call) {
  const gpb::MethodDescriptor& described = *service_->descriptor().method(static_cast<int>(method));
  const std::shared_ptr<GenericServerCall> served(new GenericServerCall(service_, described, std::move(call)));
  if (!described.client_streaming() && !served->call_.ReadRequest(*served->request_)) return;
  try {
    if (callback_) return callback_(served);
    served->call_.Spawn(GenericServerCall::Answer(coroutine_(*served), served));
  } catch (...) {
    served->call_.FinishWithException(std::current_exception());
  }
}

}  // namespace mqttrpc
