// What sees and changes the calls of a channel or a server on their way.
//
//   mqttrpc::ChannelOptions options;
//   options.interceptors = {std::make_shared<mqttrpc::CallLog>(sink), tracing};
//
// The first one is the outermost, next to the user's code on the calling side and next to
// the wire on the serving side: what goes towards the handler passes them in the order they
// were added (Begin, requests), what comes back in reverse (replies, the end).
//
// One object serves all calls, from any thread; for each call that it wants to follow, its
// Begin() makes a second one, which has that call to itself. Of the hooks of one call no two
// run at the same time, and none after OnEnd(). What a hook throws is kUnknown and ends its
// call only. Hooks must not block. More, and those that are there already: docs/interceptors.md.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

#include "mqttrpc/rpc/call_options.h"
#include "mqttrpc/rpc/context.h"
#include "mqttrpc/rpc/method.h"

namespace mqttrpc {

// A message about to be written. A look costs nothing; the first change copies it, since it
// is its sender's. Lives until the hook returns.
class OutgoingMessage {
 public:
  explicit OutgoingMessage(const google::protobuf::Message& message) : message_(&message) {}
  OutgoingMessage(const OutgoingMessage&) = delete;
  OutgoingMessage& operator=(const OutgoingMessage&) = delete;

  const google::protobuf::Message& get() const { return *message_; }
  google::protobuf::Message& Change();

 private:
  const google::protobuf::Message* message_;
  std::unique_ptr<google::protobuf::Message> copy_;
};

// What Begin() of both sides may decide.
class CallBeginning {
 public:
  CallBeginning(const CallBeginning&) = delete;
  CallBeginning& operator=(const CallBeginning&) = delete;

  const MethodInfo& method() const { return method_; }

  // The call ends with `why`, not executed; the interceptors behind are not asked. OK counts
  // as kInternal. The first Refuse() or Answer() decides.
  void Refuse(absl::Status why);

  // The same with a reply, of the method's type, which is copied. Unary methods only: another
  // one is refused with kInternal.
  void Answer(const google::protobuf::Message& reply);

  // For the chain.
  bool decided() const { return !refusal_.ok() || answer_ != nullptr; }
  const absl::Status& refusal() const { return refusal_; }
  std::unique_ptr<google::protobuf::Message> TakeAnswer() { return std::move(answer_); }

 protected:
  explicit CallBeginning(const MethodInfo& method) : method_(method) {}
  ~CallBeginning() = default;

 private:
  const MethodInfo& method_;
  absl::Status refusal_;
  std::unique_ptr<google::protobuf::Message> answer_;
};

// --- The calling side

// A call that is being made. Lives until the last Begin() has returned.
class ClientCallInfo final : public CallBeginning {
 public:
  // `request`: null if requests stream.
  ClientCallInfo(const ServiceInfo& service, const MethodInfo& method, std::string_view target,
                 const google::protobuf::Message* request, CallOptions& options)
      : CallBeginning(method), service_(service), target_(target), request_(request), options_(options) {}

  const ServiceInfo& service() const { return service_; }
  std::string_view target() const { return target_; }
  // As the caller gave it; null if requests stream.
  const google::protobuf::Message* request() const { return request_; }

  // The caller's, to be changed; checked when all have changed them: kInvalidArgument. A timeout
  // of 0: it named none, nor has the method's been looked up yet.
  CallOptions& options() { return options_; }

 private:
  const ServiceInfo& service_;
  const std::string_view target_;
  const google::protobuf::Message* request_;
  CallOptions& options_;
};

// Follows one call of a channel.
class ClientCallInterceptor {
 public:
  virtual ~ClientCallInterceptor() = default;

  // A request goes out. An error ends the call: of its only request before it was sent, so
  // not executed. On the thread that makes the call, or that writes to its stream.
  virtual absl::Status OnSend(OutgoingMessage& /*request*/) { return absl::OkStatus(); }

  // A reply has come, before the caller gets it. An error ends the call. On the client's
  // executor.
  virtual absl::Status OnReceive(google::protobuf::Message& /*reply*/) { return absl::OkStatus(); }

  // The call is over: once, whatever happened. `status` and `info` (the other side's metadata,
  // and who it was) are what the caller gets, and may be changed; an error made OK gives an
  // empty reply. A stream's end is that of Finish(), or of its reader or writer without one.
  // On the client's executor; elsewhere if the call was never started, or the channel or the
  // executor goes there.
  virtual void OnEnd(absl::Status& /*status*/, CallInfo& /*info*/) {}
};

// For ChannelOptions::interceptors.
class ClientInterceptor {
 public:
  virtual ~ClientInterceptor() = default;

  // A call is made, valid or not. Null: this one is not followed, which costs nothing more.
  // Several calls may begin at a time. On the thread that makes the call. This object lives as
  // long as any call that it follows.
  virtual std::unique_ptr<ClientCallInterceptor> Begin(ClientCallInfo& call) = 0;
};

using ClientInterceptors = std::vector<std::shared_ptr<ClientInterceptor>>;

// --- The serving side

// A call that is about to be handled. Lives until the last Begin() has returned.
class ServerCallInfo final : public CallBeginning {
 public:
  ServerCallInfo(ServerContext& context, const MethodInfo& method, Metadata& metadata)
      : CallBeginning(method), context_(context), metadata_(metadata) {}

  // As the handler gets it. Lives as long as what Begin() makes.
  ServerContext& context() { return context_; }

  // The caller's, to be changed before the handler sees it.
  Metadata& metadata() { return metadata_; }

 private:
  ServerContext& context_;
  Metadata& metadata_;
};

// Follows one call of a server. Where no thread is named: on the handler's executor, as the
// handler itself.
class ServerCallInterceptor {
 public:
  virtual ~ServerCallInterceptor() = default;

  // A request has come, before the handler gets it. An error ends the call: of its only
  // request before the handler ran, so not executed. Those of a stream: on the client's executor.
  virtual absl::Status OnReceive(google::protobuf::Message& /*request*/) { return absl::OkStatus(); }

  // A reply goes out. An error ends the call. Those of a stream: on the thread that writes.
  virtual absl::Status OnSend(OutgoingMessage& /*reply*/) { return absl::OkStatus(); }

  // The handler has ended, or did not run: once, whatever happened. `status` is what the
  // caller gets, and may be changed, as ServerContext::reply_metadata() may; an error made OK
  // gives an empty reply. After cancelled() the caller has got its answer: then `status` says
  // why, and a change of it has no effect. Elsewhere if the executor is gone.
  virtual void OnEnd(absl::Status& /*status*/) {}
};

// For ServerOptions::interceptors.
class ServerInterceptor {
 public:
  virtual ~ServerInterceptor() = default;

  // A call that the server has admitted is about to be handled. Null: it is not followed,
  // which costs nothing more. Several calls may begin at a time where handlers run so. On the
  // handler's executor. This object lives as long as any call that it follows.
  virtual std::unique_ptr<ServerCallInterceptor> Begin(ServerCallInfo& call) = 0;
};

using ServerInterceptors = std::vector<std::shared_ptr<ServerInterceptor>>;

}  // namespace mqttrpc
