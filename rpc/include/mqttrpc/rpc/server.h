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

#include <absl/status/status.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/mqtt/completion.h"
#include "mqttrpc/rpc/service.h"

namespace mqttrpc {

struct ServerOptions {
  ServerOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // As the callers' channel has it.
  std::string name_space = "rpc1";

  // What callers name as target: [A-Za-z0-9_.-]{1,64}, not `_`, `_all` or `_g.*`.
  // Empty: the client id, or a hash of it where it has other characters.
  std::string instance;

  // Also takes calls for `_`, shared with the other members of the pool.
  bool join_pool = true;

  // Handlers running at a time; further calls are answered RESOURCE_EXHAUSTED
  // with `push_back`, not executed.
  std::size_t maximum_calls = 1'000;
  std::chrono::milliseconds push_back{100};

  // For a request that names no time: the method's timeout, else this.
  std::chrono::milliseconds default_timeout{5'000};

  // Stored replies, by which a duplicated request is answered and not run
  // again; kept until its deadline and 60 s more. In bytes; the oldest go first.
  std::size_t reply_cache_bytes = 4 * 1024 * 1024;

  // Where handlers run; empty: the client's executor, where they must not block.
  asio::any_io_executor handler_executor;
};

// Serves. Any thread may use it; it lives on the client's executor. The client
// and the services outlive the server. Destroying the server cancels what runs
// and answers nothing any more.
class Server {
 public:
  explicit Server(mqtt::Client& client, ServerOptions options = ServerOptions());
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before Start(). Two services of one name: the later one is used.
  void Add(Service& service);

  // Subscribes; completes when calls reach the services. Waits for the
  // connection. Errors: kInvalidArgument for options; kPermissionDenied and
  // others, as the broker refused a subscription.
  template <typename Token = mqtt::DefaultToken>
  auto Start(Token&& token = Token()) {
    return mqtt::Initiate<absl::Status>(std::forward<Token>(token),
                                        [this](mqtt::Completion<absl::Status> done) { StartServing(std::move(done)); });
  }

  // Drains: unsubscribes, answers what still arrives with UNAVAILABLE (not
  // executed), waits for the running handlers up to `patience`, then cancels
  // them. Completes when every answer is on its way: OkStatus, or
  // kDeadlineExceeded if handlers had to be cancelled.
  template <typename Token = mqtt::DefaultToken>
  auto Stop(std::chrono::milliseconds patience, Token&& token = Token()) {
    return mqtt::Initiate<absl::Status>(
        std::forward<Token>(token),
        [this, patience](mqtt::Completion<absl::Status> done) { StartStopping(patience, std::move(done)); });
  }

  // The id that callers name. Known once Start() has completed.
  std::string instance() const;

  // Handlers running now.
  std::size_t running_calls() const;

 private:
  class Impl;
  void StartServing(mqtt::Completion<absl::Status> done);
  void StartStopping(std::chrono::milliseconds patience, mqtt::Completion<absl::Status> done);

  std::shared_ptr<Impl> impl_;
};

}  // namespace mqttrpc
