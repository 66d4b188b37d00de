// The base of generated services, and the way of one call through them. Users meet
// Service only: they derive from what the plugin derives from it (docs/codegen.md), and
// Server::Add() takes that. The rest is what generated code calls.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>
#include <asio/awaitable.hpp>

#include "mqttrpc/rpc/context.h"
#include "mqttrpc/rpc/method.h"
#include "mqttrpc/rpc/stream.h"

namespace mqttrpc {

// One call on the serving side, from parsing to its answer. Move-only; an
// unanswered one that is destroyed answers kInternal. Handler's executor only.
class ServerCall {
 public:
  class State;
  explicit ServerCall(std::shared_ptr<State> state);
  ~ServerCall();
  ServerCall(ServerCall&&) noexcept;
  ServerCall& operator=(ServerCall&&) noexcept;

  // Lives as long as the call.
  ServerContext& context() const;

  // Reads the request in the call's content type. On false the call is already
  // answered: kInvalidArgument, not executed. Not of a method whose requests stream.
  bool ReadRequest(google::protobuf::Message& request);

  // The messages of a method that streams, either way. Lives as long as who holds it.
  std::shared_ptr<MessageStream> stream() const;

  // Answers; the first one counts. `reply` is read before it returns and not used if `status` is
  // an error. With OK the caller gets kInternal if `reply` is null though the method has one, if it
  // lacks a required field, or if the reply metadata cannot travel.
  void Finish(const absl::Status& status, const google::protobuf::Message* reply);

  // Ends a method that streams, with its one reply if it has one.
  void FinishStream(const absl::Status& status) { Finish(status, nullptr); }
  template <typename Reply>
  void FinishStream(const absl::StatusOr<Reply>& reply) {
    Finish(reply.status(), reply.ok() ? &*reply : nullptr);
  }

  // Answers with what() of an exception: kUnknown.
  void FinishWithException(std::exception_ptr exception);

  // Runs `body`, a handler that answers by itself, to its end on the handler's
  // executor. What it awaits is cancelled when the call is.
  void Spawn(asio::awaitable<void> body);

 private:
  std::shared_ptr<State> state_;
};

// What the plugin derives a service's base class from. Borrowed by the servers it is
// added to; called on the handler's executor, for several calls at a time if coroutines
// wait meanwhile.
class Service {
 public:
  virtual ~Service() = default;

  // Names and types. Static: the same object whenever it is asked for.
  virtual const ServiceInfo& info() const = 0;

  // Serves a call of info().methods[method]. What it throws is answered kUnknown.
  virtual void Serve(std::size_t method, ServerCall call) = 0;
};

// Runs a coroutine handler to its end and answers with what it returns.
template <typename Request, typename Reply>
asio::awaitable<void> AnswerWith(asio::awaitable<absl::StatusOr<Reply>> handler, std::unique_ptr<Request> /*keeps*/,
                                 std::shared_ptr<ServerCall> call) {
  try {
    const absl::StatusOr<Reply> reply = co_await std::move(handler);
    call->Finish(reply.status(), reply.ok() ? &*reply : nullptr);
  } catch (...) {
    call->FinishWithException(std::current_exception());
  }
}

// For generated code. Runs whichever of the two handlers the user wrote: the
// coroutine if it returns one, else the plain function, which costs no frame.
template <typename S, typename Request, typename Reply>
void ServeMethod(S& service, ServerCall call, absl::StatusOr<Reply> (S::*plain)(ServerContext&, const Request&),
                 asio::awaitable<absl::StatusOr<Reply>> (S::*coroutine)(ServerContext&, const Request&)) {
  auto request = std::make_unique<Request>();  // A coroutine keeps it longer than this function runs.
  if (!call.ReadRequest(*request)) return;
  try {
    auto handler = (service.*coroutine)(call.context(), *request);
    if (handler.valid()) {
      auto shared = std::make_shared<ServerCall>(std::move(call));
      shared->Spawn(AnswerWith<Request, Reply>(std::move(handler), std::move(request), shared));
      return;
    }
    const absl::StatusOr<Reply> reply = (service.*plain)(call.context(), *request);
    call.Finish(reply.status(), reply.ok() ? &*reply : nullptr);
  } catch (...) {
    call.FinishWithException(std::current_exception());
  }
}

struct Nothing {};

// What a streaming handler uses, kept until it has ended. `Streams` is its reader or
// writer; a method with one request has that too.
template <typename Request, typename Streams>
struct StreamParts {
  explicit StreamParts(std::shared_ptr<MessageStream> stream) : streams(std::move(stream)) {}

  Request request;
  Streams streams;
};

// Runs a streaming coroutine handler to its end and ends the stream with what it returns.
template <typename Result, typename Parts>
asio::awaitable<void> EndWith(asio::awaitable<Result> handler, std::unique_ptr<Parts> /*keeps*/,
                              std::shared_ptr<ServerCall> call) {
  try {
    const Result result = co_await std::move(handler);
    call->FinishStream(result);
  } catch (...) {
    call->FinishWithException(std::current_exception());
  }
}

// Runs whichever of two streaming handlers the user wrote: the coroutine if it returns one.
template <typename Parts, typename Coroutine, typename Plain>
void ServeStream(ServerCall call, std::unique_ptr<Parts> parts, Coroutine coroutine, Plain plain) {
  try {
    auto handler = coroutine(call.context(), *parts);
    if (handler.valid()) {
      auto shared = std::make_shared<ServerCall>(std::move(call));
      using Result = typename decltype(handler)::value_type;
      shared->Spawn(EndWith<Result, Parts>(std::move(handler), std::move(parts), shared));
      return;
    }
    call.FinishStream(plain(call.context(), *parts));
  } catch (...) {
    call.FinishWithException(std::current_exception());
  }
}

// For generated code: server streaming. A plain function may wait in its writes
// (mqttrpc::kBlocking) where handlers have threads of their own: ServerOptions::handler_executor.
template <typename S, typename Request, typename Reply>
void ServeMethod(S& service, ServerCall call,
                 absl::Status (S::*plain)(ServerContext&, const Request&, ServerWriter<Reply>&),
                 asio::awaitable<absl::Status> (S::*coroutine)(ServerContext&, const Request&, ServerWriter<Reply>&)) {
  using Parts = StreamParts<Request, ServerWriter<Reply>>;
  auto parts = std::make_unique<Parts>(call.stream());
  if (!call.ReadRequest(parts->request)) return;
  ServeStream(
      std::move(call), std::move(parts),
      [&](ServerContext& context, Parts& with) { return (service.*coroutine)(context, with.request, with.streams); },
      [&](ServerContext& context, Parts& with) { return (service.*plain)(context, with.request, with.streams); });
}

// For generated code: client streaming.
template <typename S, typename Request, typename Reply>
void ServeMethod(S& service, ServerCall call, absl::StatusOr<Reply> (S::*plain)(ServerContext&, ServerReader<Request>&),
                 asio::awaitable<absl::StatusOr<Reply>> (S::*coroutine)(ServerContext&, ServerReader<Request>&)) {
  using Parts = StreamParts<Nothing, ServerReader<Request>>;
  auto parts = std::make_unique<Parts>(call.stream());
  ServeStream(
      std::move(call), std::move(parts),
      [&](ServerContext& context, Parts& with) { return (service.*coroutine)(context, with.streams); },
      [&](ServerContext& context, Parts& with) { return (service.*plain)(context, with.streams); });
}

// For generated code: both ways.
template <typename S, typename Request, typename Reply>
void ServeMethod(S& service, ServerCall call,
                 absl::Status (S::*plain)(ServerContext&, ServerReaderWriter<Request, Reply>&),
                 asio::awaitable<absl::Status> (S::*coroutine)(ServerContext&, ServerReaderWriter<Request, Reply>&)) {
  using Parts = StreamParts<Nothing, ServerReaderWriter<Request, Reply>>;
  auto parts = std::make_unique<Parts>(call.stream());
  ServeStream(
      std::move(call), std::move(parts),
      [&](ServerContext& context, Parts& with) { return (service.*coroutine)(context, with.streams); },
      [&](ServerContext& context, Parts& with) { return (service.*plain)(context, with.streams); });
}

// For generated code: the answer of a method that nobody wrote, or whose number
// is not the service's. kUnimplemented, not executed.
absl::Status UnimplementedMethod(const ServiceInfo& service, std::size_t method);

}  // namespace mqttrpc
