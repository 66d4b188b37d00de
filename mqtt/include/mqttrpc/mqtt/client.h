// Start here: an MQTT 5 client that stays connected.
//
//   asio::io_context io;
//   ClientOptions options;
//   options.broker = "mqtt://127.0.0.1:1883";
//   Client client(io.get_executor(), options);
//   client.Start();
//   auto code = co_await client.Publish(Message("hello", "world"));
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/mqtt/client_options.h"
#include "mqttrpc/mqtt/completion.h"
#include "mqttrpc/mqtt/connection_state.h"
#include "mqttrpc/mqtt/environment.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/mqtt/reason_code.h"
#include "mqttrpc/mqtt/subscription.h"

namespace mqttrpc::mqtt {

// One MQTT 5 session with one broker; reconnects by itself, with jittered
// back-off, and subscribes again when the broker lost the session.
//
// Any thread may call any method: work runs on executor(). A completion token
// picks how an operation ends (co_await by default, a callback, asio::use_future,
// mqttrpc::mqtt::kBlocking); its cancellation slot ends it early with kCancelled.
// Cancelled under way, a publish or request may still take effect at the broker.
// Destroying the client drops the connection without a DISCONNECT and ends what
// is pending with kCancelled, later, on the executor: nothing waits. A handler
// that runs on another thread just then may end after the destructor.
class Client {
 public:
  // Work runs on a strand of `executor`, whose context the caller runs and keeps
  // alive longer than the client.
  Client(asio::any_io_executor executor, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Begins to connect, and from then on stays connected until Disconnect() or a
  // refusal that another try cannot mend: a malformed or bad CONNECT, not
  // authorized, banned, bad client id; or another client that
  // keeps taking the session over. Returns at once; see WatchState().
  void Start();

  // Sends `message`; completes when the broker has taken it (QoS 2: its PUBCOMP;
  // QoS 1: its PUBACK; QoS 0: handed to the transport). Waits for the connection if
  // there is none.
  //
  // Completes with the broker's Reason Code, e.g. kNoMatchingSubscribers. Errors:
  //   kInvalidArgument    Topic Name empty or with a wildcard (MQTT-3.3.2-2)
  //   kUnimplemented      a QoS or retain flag above what the broker takes
  //   kResourceExhausted  over the broker's Maximum Packet Size, in bytes, or the queue's: for
  //                       good, with Reason Code 0x95; queue full, or dropped from it for
  //                       another: with none
  //   kUnavailable        a QoS 0 message's connection was lost; no connection, and
  //                       ClientOptions::queue_qos0_offline is off
  //   kDeadlineExceeded   its Message Expiry Interval passed before it could be sent
  //   kCancelled          the token's cancellation slot fired, or the client ended
  //   others              the broker's refusal, with its Reason Code
  // A message of QoS 1 or 2 whose connection was lost is sent again; with DUP if
  // the broker kept the session, as a new message if not. A QoS 2 message that the
  // broker had received (PUBREC) is then never sent as a new one: if the session
  // went, it completes, since the broker had taken it over.
  template <typename Token = DefaultToken>
  auto Publish(Message message, Token&& token = Token()) {
    return Initiate<absl::StatusOr<ReasonCode>>(
        std::forward<Token>(token),
        [this](Completion<absl::StatusOr<ReasonCode>>&& done, Message&& what) {
          StartPublish(std::move(what), std::move(done));
        },
        std::move(message));
  }

  // Asks for messages; completes with the granted QoS as a Reason Code. From
  // then on, `handler` gets what matches, also after reconnects. The same Topic
  // Filter again replaces options and handler. A client that resumes the session of
  // an earlier process subscribes before Start(): what waited there comes at once,
  // and what has no handler is acknowledged and thrown away. Errors: as Publish, and
  //   kInvalidArgument   Topic Filter not valid; no handler
  //   kPermissionDenied  and others, as the broker refused; the handler is dropped
  template <typename Token = DefaultToken>
  auto Subscribe(Subscription subscription, MessageHandler handler, Token&& token = Token()) {
    return Initiate<absl::StatusOr<ReasonCode>>(
        std::forward<Token>(token),
        [this](Completion<absl::StatusOr<ReasonCode>> done, Subscription what, MessageHandler with) {
          StartSubscribe(std::move(what), std::move(with), std::move(done));
        },
        std::move(subscription), std::move(handler));
  }

  // The same, with messages acknowledged by hand: see Acknowledgement.
  template <typename Token = DefaultToken>
  auto Subscribe(Subscription subscription, AcknowledgingHandler handler, Token&& token = Token()) {
    return Initiate<absl::StatusOr<ReasonCode>>(
        std::forward<Token>(token),
        [this](Completion<absl::StatusOr<ReasonCode>> done, Subscription what, AcknowledgingHandler with) {
          StartSubscribe(std::move(what), std::move(with), std::move(done));
        },
        std::move(subscription), std::move(handler));
  }

  // Ends a subscription. Its handler is not called any more once this completes.
  template <typename Token = DefaultToken>
  auto Unsubscribe(std::string topic_filter, Token&& token = Token()) {
    return Initiate<absl::StatusOr<ReasonCode>>(
        std::forward<Token>(token),
        [this](Completion<absl::StatusOr<ReasonCode>> done, std::string what) {
          StartUnsubscribe(std::move(what), std::move(done));
        },
        std::move(topic_filter));
  }

  // Sends what is queued for the connection, then DISCONNECT, and stops. What is
  // still unanswered ends with kCancelled. Start() may follow: subscriptions
  // stay. Cancelling it only ends the wait. Errors:
  //   kInvalidArgument   options that may not be sent; the client stays connected
  //   kUnavailable, kDeadlineExceeded   DISCONNECT could not be sent
  template <typename Token = DefaultToken>
  auto Disconnect(DisconnectOptions options, Token&& token = Token()) {
    return Initiate<absl::Status>(
        std::forward<Token>(token),
        [this](Completion<absl::Status> done, DisconnectOptions how) {
          StartDisconnect(std::move(how), std::move(done));
        },
        std::move(options));
  }
  template <typename Token = DefaultToken>
    requires(!std::same_as<std::remove_cvref_t<Token>, DisconnectOptions>)
  auto Disconnect(Token&& token = Token()) {
    return Disconnect(DisconnectOptions(), std::forward<Token>(token));
  }

  // Proves again who we are, with ClientOptions::authenticator (MQTT 4.12.1).
  // Errors: kFailedPrecondition (no authenticator; under way already),
  // kUnavailable (no connection, or lost meanwhile), the authenticator's.
  template <typename Token = DefaultToken>
  auto Reauthenticate(Token&& token = Token()) {
    return Initiate<absl::Status>(std::forward<Token>(token),
                                  [this](Completion<absl::Status> done) { StartReauthenticate(std::move(done)); });
  }

  // Completes once connected: at once if it is. Errors: kCancelled, or why the
  // client gave up.
  template <typename Token = DefaultToken>
  auto UntilConnected(Token&& token = Token()) {
    return Initiate<absl::Status>(std::forward<Token>(token),
                                  [this](Completion<absl::Status> done) { StartUntilConnected(std::move(done)); });
  }

  // A copy of the state as it last was told.
  ConnectionState state() const;

  ClientStatistics statistics() const;

  // Calls `watcher` on executor(), first with the state as it is, then at every
  // change, in order, until the returned watch is destroyed. After a reconnect it
  // is called before any message arrives or any queued message is sent.
  [[nodiscard]] std::unique_ptr<StateWatch> WatchState(absl::AnyInvocable<void(const ConnectionState&)> watcher);

  // The strand that all work and all handlers run on.
  asio::any_io_executor executor() const;
  const Environment& environment() const;
  std::string broker() const;  // The first URL of the options, for messages.

 private:
  class Impl;
  void StartPublish(Message&& message, Completion<absl::StatusOr<ReasonCode>>&& done);
  void StartSubscribe(Subscription subscription, MessageHandler handler, Completion<absl::StatusOr<ReasonCode>> done);
  void StartSubscribe(Subscription subscription, AcknowledgingHandler handler,
                      Completion<absl::StatusOr<ReasonCode>> done);
  void StartUnsubscribe(std::string topic_filter, Completion<absl::StatusOr<ReasonCode>> done);
  void StartDisconnect(DisconnectOptions options, Completion<absl::Status> done);
  void StartReauthenticate(Completion<absl::Status> done);
  void StartUntilConnected(Completion<absl::Status> done);

  std::shared_ptr<Impl> impl_;
};

}  // namespace mqttrpc::mqtt
