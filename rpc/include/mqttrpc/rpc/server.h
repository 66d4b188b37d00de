// Start here on the serving side: a server answers calls for its services over
// one MQTT client.
//
//   mqttrpc::Server server(client);
//   server.Add(greeter);
//   absl::Status status = co_await server.Start();
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/mqtt/completion.h"
#include "mqttrpc/rpc/message_bus.h"
#include "mqttrpc/rpc/service.h"
#include "mqttrpc/rpc/stream.h"

namespace mqttrpc {

class ServerInterceptor;

// Start() says what is out of range.
struct ServerOptions {
  ServerOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // As the callers' channel has it.
  std::string name_space = "rpc1";

  // What callers name as target: [A-Za-z0-9_.-]{1,64}, not `_`, `_all` or `_g.*`.
  // Empty: the client id, or a hash of it where it has other characters.
  std::string instance;

  // Also takes calls for `_`, shared with the other members of the pool.
  bool join_pool = true;

  // Handlers running at a time, requests that have not come whole, and ends of calls that
  // have not been acknowledged yet; further calls are answered RESOURCE_EXHAUSTED with `push_back`, not executed.
  std::size_t maximum_calls = 1'000;
  std::chrono::milliseconds push_back{100};

  // For a request that names no time: the method's timeout, else this, up to 30 days; 0: none. A
  // stream whose caller pings has none either.
  std::chrono::milliseconds default_timeout{5'000};

  // Stored replies, by which a duplicated request is answered and not run
  // again; kept until its deadline and 60 s more. In bytes; the oldest go first.
  std::size_t reply_cache_bytes = 4 * 1024 * 1024;

  // What we take of each call's requests, and what may wait in all of them together, in
  // bytes: a call that brings more than that ends with RESOURCE_EXHAUSTED. While half as much
  // is on its way to callers and unacknowledged, each call has 64 KiB on its way at most.
  StreamLimits limits;
  std::size_t maximum_waiting_bytes = 64 * 1024 * 1024;

  // Where handlers run; empty: the client's executor, one after the other, where
  // they must not block. Otherwise each call has a strand of its own there, so
  // that handlers of one service run at the same time if its context has threads.
  // Join that context before the client's own goes.
  asio::any_io_executor handler_executor;

  // What sees and changes each call between the server and its handler, the outermost
  // first: mqttrpc/rpc/interceptor.h.
  std::vector<std::shared_ptr<ServerInterceptor>> interceptors;
};

// Serves. Any thread may use it; it lives on the client's executor. One server
// per client and name space: a second one would take the first one's calls.
//
// The client, or the bus in its place, and the services outlive the server and its handlers. Destroying the
// server cancels what runs and answers nothing any more. It waits for the plain
// function that runs at the moment, not for coroutines: call Stop() first where a
// coroutine handler uses what goes with the server. Not to be destroyed on the
// client's executor while a plain function on handler_executor waits for that
// executor, e.g. in a blocking call.
class Server {
 public:
  explicit Server(mqtt::Client& client, ServerOptions options = ServerOptions());
  explicit Server(MessageBus& bus, ServerOptions options = ServerOptions());
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before Start(). Two services of one name: the later one is used.
  void Add(Service& service);

  // Subscribes; completes when calls reach the services. Waits for the
  // connection, without a limit of its own: cancel it by the token's slot. Once
  // only, also after a failure. Errors: kInvalidArgument for options;
  // kFailedPrecondition if it was started before; kCancelled; why the client gave
  // up; kPermissionDenied and others, as the broker refused a subscription.
  template <typename Token = mqtt::DefaultToken>
  auto Start(Token&& token = Token()) {
    return mqtt::Initiate<absl::Status>(std::forward<Token>(token),
                                        [this](mqtt::Completion<absl::Status> done) { StartServing(std::move(done)); });
  }

  // Drains: unsubscribes, answers what still arrives with UNAVAILABLE (not
  // executed), waits up to `patience` for the running handlers, and for callers to confirm the
  // ends of their streams; then cancels what is left, and answers what has no answer yet with
  // UNAVAILABLE (perhaps).
  // Completes when no handler runs and every answer is acknowledged: OkStatus, also if it was not
  // serving; or kDeadlineExceeded if patience ended before, then up to a second
  // later, so that cancelled coroutines have ended too. Other errors: kFailedPrecondition
  // if another Stop() is under way; kCancelled, by the token's slot, which ends the wait only
  // (it goes on refusing; Stop() again), or with the server. `patience`: 0 to 30 days, else the nearest.
  template <typename Token = mqtt::DefaultToken>
  auto Stop(std::chrono::milliseconds patience, Token&& token = Token()) {
    return mqtt::Initiate<absl::Status>(
        std::forward<Token>(token),
        [this, patience](mqtt::Completion<absl::Status> done) { StartStopping(patience, std::move(done)); });
  }

  // The id that callers name. Known once Start() has completed.
  std::string instance() const;

  // Handlers running now. Like instance(), waits for the plain function that runs
  // at the moment on the client's executor.
  std::size_t running_calls() const;

  // Calls that no handler has: their request is not whole yet, or their caller has not
  // confirmed the end of what was sent to it. Waits as running_calls() does.
  std::size_t waiting_calls() const;

  // Finished calls that are remembered, so that a duplicate is not run again. Those whose
  // time is over go when the next request arrives. Waits as running_calls() does.
  std::size_t remembered_calls() const;

 private:
  class Impl;
  void StartServing(mqtt::Completion<absl::Status> done);
  void StartStopping(std::chrono::milliseconds patience, mqtt::Completion<absl::Status> done);

  std::shared_ptr<Impl> impl_;
};

}  // namespace mqttrpc
