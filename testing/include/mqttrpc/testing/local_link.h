// Start here to test what calls a service, or the service, without a broker: calls go
// straight from the stub to the handler, in one process.
//
//   LocalLink link;
//   hello::v1::MockGreeterService greeter;
//   link.Serve(greeter);
//   hello::v1::GreeterStub stub(link.channel(), LocalLink::kServer);
//   EXPECT_CALL(greeter, Hello(_, _)).WillOnce(Return(reply));
//   auto reply = link.Run(stub.Hello(request));
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include "mqttrpc/mqtt/environment.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/message_bus.h"
#include "mqttrpc/rpc/server.h"
#include "mqttrpc/testing/manual_clock.h"
#include "mqttrpc/testing/run_to_end.h"
#include "mqttrpc/testing/seeded_random.h"

namespace mqttrpc::testing {

struct LocalLinkOptions {
  LocalLinkOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // Of channel() and of the servers behind Serve(), whose instance that names.
  ChannelOptions channel;
  ServerOptions server;

  // For a link with a time of its own.
  std::uint64_t seed = 1;
  mqtt::LogSink* log = &mqtt::NoLog();                 // Borrowed.
  mqtt::Duration patience = std::chrono::minutes(10);  // How long Run() and Until() wait, unless told otherwise.
};

// A channel, and servers that it calls, with nothing in between: no broker, no packets, no
// connection that could be lost, nothing retained (for those: World). All else is as over MQTT:
// deadlines, metadata, errors, cancellation, streams, fragments, pools, and that nothing answers
// before whoever asked has returned. Why it is so: docs/decisions/0023-message-bus.md.
//
// By itself it is a small world: nothing happens but inside Advance(), RunUntilQuiet(),
// Run() and Until(), and time stands still until they move it. Handlers may wait by
// kBlocking, those of mocks too: each runs on a thread of its own for which all others
// wait, so that none runs beside another. What is pending when the link ends completes
// with kCancelled in its destructor: what callbacks and handlers refer to must live longer. A
// handler that then still waits by kBlocking, for what never comes, aborts the process. Used from
// one thread.
class LocalLink {
 public:
  // The instance that Serve() makes, unless it names another.
  static constexpr std::string_view kServer = "server";

  explicit LocalLink(LocalLinkOptions options = LocalLinkOptions());

  // On an executor, and with a clock, of the test's: those of a World, or threads and real
  // time, where calls may come from any thread. Handlers then run where options say, and wait
  // by kBlocking only if that is a place with threads. The functions for a time of its own
  // do nothing, and Run() fails with kFailedPrecondition. The executor's context, and what
  // `environment` points to, live longer.
  explicit LocalLink(asio::any_io_executor executor, mqtt::Environment environment = mqtt::Environment(),
                     LocalLinkOptions options = LocalLinkOptions());
  ~LocalLink();
  LocalLink(const LocalLink&) = delete;
  LocalLink& operator=(const LocalLink&) = delete;

  // Calls that begin after this reach `service`, which outlives the link, at `instance` and,
  // unless options say otherwise, at kAnyInstance. Services of one instance share a server,
  // which begins anew with each: handlers that run there are cancelled, and their callers not told.
  // A server that cannot be started (an instance that is no id, say) is an error in the log only.
  void Serve(Service& service, std::string_view instance = kServer);

  // For stubs.
  Channel& channel() { return *channel_; }

  // For channels and servers of the test's own making, which end before the link. The same
  // one for the same id; "caller" is that of channel(), and each instance that is served has its own.
  MessageBus& bus(std::string_view client_id);

  // --- With a time of its own

  // Moves time on, and runs all that happens on the way.
  void Advance(mqtt::Duration step);

  // Runs what can happen without time moving on.
  void RunUntilQuiet();

  // Runs, moving time on from alarm to alarm, until `done` says so; false if it did not
  // within `patience`, or nothing is left that could happen.
  bool Until(const std::function<bool()>& done, std::optional<mqtt::Duration> patience = std::nullopt);

  // Starts an operation and runs until it is complete. T is what it completes with. If it
  // was not complete within `patience`: kDeadlineExceeded where T is makeable from absl::Status,
  // else T(); it is cancelled then. Rethrows what it throws.
  //   link.Run(stub.Hello(request));
  template <typename T>
  T Run(asio::awaitable<T> operation, std::optional<mqtt::Duration> patience = std::nullopt);

  // The same for a callback: calls `start` with what is to be called at the end. It is not
  // cancelled.
  //   link.Run<absl::StatusOr<HelloReply>>([&](auto done) { stub.Hello(request, options, std::move(done)); });
  template <typename T, typename Start>
    requires std::invocable<Start, absl::AnyInvocable<void(T)>>
  T Run(Start&& start, std::optional<mqtt::Duration> patience = std::nullopt);

  // Since the link's begin; 0 without a time of its own.
  mqtt::Duration elapsed() const;

 private:
  struct Own;
  struct Instance;

  void Open();
  asio::io_context* io() const;  // Null: not its own.
  absl::Status NotComplete() const;
  template <typename T>
  T ResultOf(std::optional<T> result) const {
    if (result.has_value()) return std::move(*result);
    if constexpr (std::is_constructible_v<T, absl::Status>) {
      return T(NotComplete());
    } else {
      return T();
    }
  }

  LocalLinkOptions options_;
  const std::unique_ptr<Own> own_;
  const std::shared_ptr<class LocalHub> hub_;
  std::map<std::string, std::unique_ptr<MessageBus>, std::less<>> buses_;
  std::unique_ptr<Channel> channel_;
  std::map<std::string, std::unique_ptr<Instance>, std::less<>> instances_;
};

template <typename T>
T LocalLink::Run(asio::awaitable<T> operation, std::optional<mqtt::Duration> patience) {
  if (io() == nullptr) return ResultOf<T>(std::nullopt);
  std::optional<T> result = internal::RunToEnd(
      *io(), std::move(operation), [&](const std::function<bool()>& ended) { return Until(ended, patience); });
  if (!result.has_value()) RunUntilQuiet();
  return ResultOf<T>(std::move(result));
}

template <typename T, typename Start>
  requires std::invocable<Start, absl::AnyInvocable<void(T)>>
T LocalLink::Run(Start&& start, std::optional<mqtt::Duration> patience) {
  if (io() == nullptr) return ResultOf<T>(std::nullopt);
  return ResultOf<T>(internal::RunToEnd<T>(std::forward<Start>(start),
                                           [&](const std::function<bool()>& ended) { return Until(ended, patience); }));
}

}  // namespace mqttrpc::testing
