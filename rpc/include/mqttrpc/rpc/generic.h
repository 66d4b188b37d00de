// Calls without generated code, by descriptor, on either side: for proxies, tools and tests.
//
//   const google::protobuf::ServiceDescriptor& lamp = *pool.FindServiceByName("acme.lamp.v1.Lamp");
//   mqttrpc::GenericStub stub(channel, lamp, "lamp-42");
//   mqttrpc::GenericMessage request = stub.NewRequest("SetLight");
//   google::protobuf::util::JsonStringToMessage(R"({"level": 40})", request.get());
//   auto reply = co_await stub.Call("SetLight", *request);  // absl::StatusOr<GenericMessage>
//
// Descriptors may come from generated code or from a pool made at run time, which then
// outlives everything made of it, messages too. What goes over MQTT is the same. Threads and
// what reads and writes promise are those of mqttrpc/rpc/stream.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <asio/awaitable.hpp>

#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/service.h"
#include "mqttrpc/rpc/stream.h"

namespace mqttrpc {

// Names, options and message types of a service, from its descriptor.
class DescribedService;

// Keeps what made a message, which it cannot be without, but for its descriptor's pool.
struct GenericDelete {
  std::shared_ptr<const void> maker;
  void operator()(google::protobuf::Message* message) const { delete message; }
};

// A message whose type is known at run time only. Null: none.
using GenericMessage = std::unique_ptr<google::protobuf::Message, GenericDelete>;

namespace internal {

template <typename Token>
auto ReadGeneric(std::shared_ptr<MessageStream> stream, GenericMessage into, Token&& token) {
  return mqtt::Initiate<GenericMessage>(
      std::forward<Token>(token),
      [stream = std::move(stream)](mqtt::Completion<GenericMessage> done, GenericMessage message) {
        const asio::cancellation_slot slot = done.slot();
        google::protobuf::Message& filled = *message;
        stream->Read(filled, mqtt::Completion<bool>(
                                 [done = std::move(done), message = std::move(message)](bool read) mutable {
                                   done(read ? std::move(message) : GenericMessage());
                                 },
                                 slot));
      },
      std::move(into));
}

}  // namespace internal

// --- The calling side

// A call of a method that streams. Movable. Destroyed before the call has ended, it cancels it.
class GenericClientStream : public internal::CallerStream {
 public:
  // Completes with the next reply, which is the reader's, or null when no more come (or the
  // token's slot fired: nothing is lost by that, read again). If replies do not stream: null.
  template <typename Token = DefaultToken>
  auto Read(Token&& token = Token()) {
    return internal::ReadGeneric(stream(), NewReply(), std::forward<Token>(token));
  }

  // Completes with bool: false if the call is over. `request` is only read before this
  // returns; one of another type ends the call with kInvalidArgument.
  template <typename Token = DefaultToken>
  auto Write(const google::protobuf::Message& request, Token&& token = Token()) {
    return internal::WriteTo(stream(), Prepare(request), std::forward<Token>(token));
  }

  // No more requests follow.
  void WritesDone() { stream()->WritesDone(); }

  // Completes with absl::StatusOr<GenericMessage>: the reply of a method with one, else
  // null; or why the call failed: as Channel says it, or kInvalidArgument for a Write() of
  // another type. Where requests stream to one reply, says WritesDone(). What was not read is
  // thrown away. Once: kFailedPrecondition after that.
  template <typename Token = DefaultToken>
  auto Finish(Token&& token = Token()) {
    return mqtt::Initiate<absl::StatusOr<GenericMessage>>(
        std::forward<Token>(token),
        [stream = stream(), reply = reply_, service = service_](mqtt::Completion<absl::StatusOr<GenericMessage>> done) {
          if (reply != nullptr) stream->WritesDone();
          const asio::cancellation_slot slot = done.slot();
          stream->Finish(mqtt::Completion<absl::Status>(
              [done = std::move(done), reply, service](const absl::Status& status) mutable {
                if (status.ok()) {
                  done(TakeReply(service, reply.get()));
                } else {
                  done(status);
                }
              },
              slot));
        });
  }

  // See MessageStream::lost().
  std::uint64_t lost() const { return stream()->lost(); }

 private:
  friend class GenericStub;
  GenericClientStream(std::shared_ptr<MessageStream> stream, std::shared_ptr<const DescribedService> service,
                      const google::protobuf::MethodDescriptor* method,
                      std::shared_ptr<google::protobuf::Message> reply)
      : CallerStream(std::move(stream)), service_(std::move(service)), method_(method), reply_(std::move(reply)) {}

  GenericMessage NewReply() const;
  WrittenMessage Prepare(const google::protobuf::Message& request) const;
  static GenericMessage TakeReply(const std::shared_ptr<const DescribedService>& service,
                                  google::protobuf::Message* reply);

  std::shared_ptr<const DescribedService> service_;
  const google::protobuf::MethodDescriptor* method_;  // Null: there is none, and the call has failed.
  std::shared_ptr<google::protobuf::Message> reply_;  // Null: replies stream.
};

// Calls a service. Small, may be copied; must not outlive its channel. Calls may outlive it.
// Any thread.
class GenericStub {
 public:
  // `target` is an instance's id, or kAnyInstance. The options of mqttrpc/options.proto are
  // heeded; what protoc-gen-mqttrpc would refuse of them counts as not set.
  GenericStub(Channel& channel, const google::protobuf::ServiceDescriptor& descriptor, std::string_view target);

  const google::protobuf::ServiceDescriptor& descriptor() const;

  // An empty request of that method; null if there is no such method.
  GenericMessage NewRequest(std::string_view method) const;

  // A method with one request and one reply, by its name in the .proto. `request` is only
  // read before this returns; it may be a dynamic message or a generated one. Completes with
  // absl::StatusOr<GenericMessage>. Errors: as Channel, all not executed:
  //   kUnimplemented    the descriptor has no such method
  //   kInvalidArgument  the request is of another type; the method streams
  template <typename Token = DefaultToken>
  auto Call(std::string_view method, const google::protobuf::Message& request, CallOptions options = CallOptions(),
            Token&& token = Token()) const {
    return mqtt::Initiate<absl::StatusOr<GenericMessage>>(
        std::forward<Token>(token),
        [](mqtt::Completion<absl::StatusOr<GenericMessage>> done, const std::shared_ptr<Prepared>& call) {
          Start(*call, std::move(done));
        },
        Prepare(method, request, std::move(options)));
  }

  // A method that streams; the second for one request and many replies. It begins at once;
  // what keeps it from it, also what Call() lists, Finish() says.
  [[nodiscard]] GenericClientStream Open(std::string_view method, CallOptions options = CallOptions()) const {
    return Open(method, nullptr, std::move(options));
  }
  [[nodiscard]] GenericClientStream Open(std::string_view method, const google::protobuf::Message& request,
                                         CallOptions options = CallOptions()) const {
    return Open(method, &request, std::move(options));
  }

 private:
  struct Prepared;

  std::shared_ptr<Prepared> Prepare(std::string_view method, const google::protobuf::Message& request,
                                    CallOptions options) const;
  static void Start(Prepared& call, mqtt::Completion<absl::StatusOr<GenericMessage>> done);
  GenericClientStream Open(std::string_view method, const google::protobuf::Message* request,
                           CallOptions options) const;
  Channel::PreparedCall PrepareFor(const google::protobuf::MethodDescriptor* method, std::string_view name,
                                   const google::protobuf::Message* request, bool unary, CallOptions options) const;

  Channel* channel_;
  std::shared_ptr<const DescribedService> service_;
  std::string target_;
};

// --- The serving side

// A call that a GenericService serves. Used on the handler's executor, but where it says.
class GenericServerCall : public std::enable_shared_from_this<GenericServerCall> {
 public:
  const google::protobuf::MethodDescriptor& method() const { return method_; }

  // Lives as long as this.
  ServerContext& context() const { return call_.context(); }

  // The request, in one of the method's input type; empty if requests stream.
  const google::protobuf::Message& request() const { return *request_; }

  // To be filled, if replies do not stream.
  google::protobuf::Message& reply() { return *reply_; }

  // An empty reply, for Write().
  GenericMessage NewReply() const;

  // If requests stream: completes with the next one, or null when the caller has said that no
  // more follow, or is gone (ServerContext::cancelled()). Any thread.
  template <typename Token = DefaultToken>
  auto Read(Token&& token = Token()) {
    return internal::ReadGeneric(stream_, NewRequest(), std::forward<Token>(token));
  }

  // If replies stream: completes with bool, false if nobody reads any more. `reply` is only
  // read before this returns; one of another type ends the call with kInternal.
  template <typename Token = DefaultToken>
  auto Write(const google::protobuf::Message& reply, Token&& token = Token()) {
    return internal::WriteTo(stream_, Prepare(reply), std::forward<Token>(token));
  }

  // Ends the call, with reply() if `status` is OK and replies do not stream; reply() is read
  // on the handler's executor, then or later, and not to be touched any more. The first one
  // counts. Not of a coroutine, which returns instead. Any thread.
  void Finish(absl::Status status);

 private:
  friend class GenericService;
  GenericServerCall(std::shared_ptr<const DescribedService> service, const google::protobuf::MethodDescriptor& method,
                    ServerCall call);
  static asio::awaitable<void> Answer(asio::awaitable<absl::Status> handler, std::shared_ptr<GenericServerCall> call);
  void FinishHere(const absl::Status& status);
  GenericMessage NewRequest() const;
  WrittenMessage Prepare(const google::protobuf::Message& reply) const;

  const std::shared_ptr<const DescribedService> service_;
  const google::protobuf::MethodDescriptor& method_;
  ServerCall call_;
  GenericMessage request_, reply_;
  std::shared_ptr<MessageStream> stream_;
};

// Serves all methods of a service by one handler, which asks the call for its method. Options
// count as in GenericStub. Outlives its servers and their handlers, as all services do. What a
// handler throws ends its call with kUnknown; a request that does not parse ends it before the
// handler, with kInvalidArgument.
class GenericService final : public Service {
 public:
  // Returns how the call ended; then reply() is sent. May use the call until then.
  using Coroutine = std::function<asio::awaitable<absl::Status>(GenericServerCall&)>;
  // Calls Finish(), then or later; it keeps the call until then, and one that is dropped without it
  // ends with kInternal. On the handler's executor.
  using Callback = std::function<void(std::shared_ptr<GenericServerCall>)>;

  GenericService(const google::protobuf::ServiceDescriptor& descriptor, Coroutine handler);
  GenericService(const google::protobuf::ServiceDescriptor& descriptor, Callback handler);

  const ServiceInfo& info() const override;
  void Serve(std::size_t method, ServerCall call) override;

 private:
  const std::shared_ptr<const DescribedService> service_;
  const Coroutine coroutine_;  // Either this
  const Callback callback_;    // or this.
};

}  // namespace mqttrpc
