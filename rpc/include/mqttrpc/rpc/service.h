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
  // answered: kInvalidArgument, not executed.
  bool ReadRequest(google::protobuf::Message& request);

  // Answers. `reply` is read before it returns and not used if `status` is an error.
  void Finish(const absl::Status& status, const google::protobuf::Message* reply);

  // Answers with what an exception says: kUnknown.
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

  // Serves a call of info().methods[method].
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

// For generated code: the answer of a method that nobody wrote, or whose number
// is not the service's. kUnimplemented, not executed.
absl::Status UnimplementedMethod(const ServiceInfo& service, std::size_t method);

}  // namespace mqttrpc
