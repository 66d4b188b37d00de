// Start here: an MQTT 5 client that stays connected.
//
//   asio::io_context io;
//   ClientOptions options;
//   options.broker = "mqtt://127.0.0.1:1883";
//   Client client(io.get_executor(), options);
//   client.Start();
//   auto code = co_await client.Publish(Message("hello", "world"));
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/mqtt/completion.h"
#include "mqttrpc/mqtt/environment.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/mqtt/reason_code.h"
#include "mqttrpc/mqtt/transport.h"

namespace mqttrpc::mqtt {

struct ClientOptions {
  ClientOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  std::string broker = "mqtt://127.0.0.1:1883";

  // UTF-8. Brokers must take 1-23 ASCII letters and digits (MQTT-3.1.3-5), most
  // take more. Empty: the broker assigns one, which the client then keeps.
  std::string client_id;

  std::optional<std::string> user_name;
  std::optional<std::string> password;  // Any bytes. Never logged.

  // Drops a session the broker may still have, at the first connect only
  // (MQTT-3.1.2-4); later ones resume.
  bool clean_start = true;

  // How long the broker keeps the session after the connection is lost, in
  // whole seconds; 0 ends it with the connection, 0xFFFFFFFF never (MQTT 3.1.2.11.2).
  std::chrono::seconds session_expiry{0};

  // Whole seconds, 0-65,535; 0 sends no PINGREQ (MQTT 3.1.2.10). The broker may
  // put its own (MQTT-3.1.2-21). PINGREQ goes out after three quarters of it
  // without a packet one way; hearing nothing for half of it then, the
  // connection counts as lost.
  std::chrono::seconds keep_alive{60};

  // How many unacknowledged QoS 1 messages the broker may send us, 1-65,535.
  std::uint16_t receive_maximum = 1024;

  // The largest packet we take, in bytes (MQTT 3.1.2.11.4).
  std::uint32_t maximum_packet_size = 1024 * 1024;

  // Asks for Response Information in CONNACK (MQTT 3.1.2.11.6).
  bool request_response_information = false;

  // Sent with CONNECT.
  Properties connect_properties;

  // From dialling to CONNACK.
  std::chrono::milliseconds connect_timeout{10'000};

  // Wait before the n-th attempt in a row: uniform in [0, min(maximum, minimum * 2^n)],
  // never under a quarter of `minimum`. Counts from the start again after a
  // connection that lasted `backoff_reset`.
  std::chrono::milliseconds backoff_minimum{200};
  std::chrono::milliseconds backoff_maximum{30'000};
  std::chrono::milliseconds backoff_reset{10'000};

  // What may wait for the connection or for the broker's Receive Maximum.
  // Beyond either, Publish answers kResourceExhausted.
  std::size_t maximum_queued_messages = 10'000;
  std::size_t maximum_queued_bytes = std::size_t{16} * 1024 * 1024;

  Connector* connector = &TcpConnector();  // Borrowed.
  Environment environment;                 // Borrowed parts.
};

// What a client tells about its connection.
struct ConnectionState {
  enum class Kind {
    kStopped,     // Not started, disconnected, or given up: see `why`.
    kConnecting,  // Dialling, or waiting for CONNACK.
    kConnected,
    kWaiting,  // Lost or refused: see `why`; dials again at `next_try`.
  };

  ConnectionState() = default;

  Kind kind = Kind::kStopped;
  absl::Status why;              // For kWaiting and kStopped; OkStatus after Disconnect.
  TimePoint next_try{};          // For kWaiting, on the client's clock.
  bool session_present = false;  // For kConnected: the broker still had our session.
  std::string client_id;         // As in use: ours, or the broker's choice.

  // For kConnected: what CONNACK said, e.g. kResponseInformation.
  Properties connack_properties;
};

std::string_view NameOf(ConnectionState::Kind kind);

// A Topic Filter with its Subscription Options (MQTT 3.8.3.1).
struct Subscription {
  Subscription() = default;
  explicit Subscription(std::string topic_filter_in, QoS qos_in = QoS::kAtLeastOnce)
      : topic_filter(std::move(topic_filter_in)), qos(qos_in) {}

  std::string topic_filter;  // May begin with $share/{name}/.
  QoS qos = QoS::kAtLeastOnce;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint8_t retain_handling = 0;  // 0, 1 or 2.
  Properties properties;             // User properties only.
};

// Called on the client's executor for each message, in order. The PUBACK goes
// out when it returns. Must not block, since the connection waits for it, and
// must not throw. May call the client, and may destroy it.
using MessageHandler = absl::AnyInvocable<void(const MessageView&)>;

// Stops watching when destroyed. May outlive the client. Destroyed on another
// thread than the client's, a call that runs just then may end after it.
class [[nodiscard]] StateWatch {
 public:
  virtual ~StateWatch() = default;
};

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
  // authorized, banned, bad client id. Returns at once; see WatchState().
  void Start();

  // Sends `message`; completes when the broker has taken it (QoS 1: its PUBACK;
  // QoS 0: handed to the transport). Waits for the connection if there is none.
  //
  // Completes with the broker's Reason Code, e.g. kNoMatchingSubscribers. Errors:
  //   kInvalidArgument    Topic Name empty or with a wildcard (MQTT-3.3.2-2)
  //   kUnimplemented      QoS 2; a QoS or retain flag above what the broker takes
  //   kResourceExhausted  over the broker's Maximum Packet Size, in bytes; queue full
  //   kUnavailable        a QoS 0 message's connection was lost
  //   kCancelled          the token's cancellation slot fired, or the client ended
  //   others              the broker's refusal, with its Reason Code
  // A QoS 1 message whose connection was lost is sent again; with DUP if the
  // broker kept the session, as a new message if not.
  template <typename Token = DefaultToken>
  auto Publish(Message message, Token&& token = Token()) {
    return Initiate<absl::StatusOr<ReasonCode>>(
        std::forward<Token>(token),
        [this](Completion<absl::StatusOr<ReasonCode>> done, Message what) {
          StartPublish(std::move(what), std::move(done));
        },
        std::move(message));
  }

  // Asks for messages; completes with the granted QoS as a Reason Code. From
  // then on, `handler` gets what matches, also after reconnects. The same Topic
  // Filter again replaces options and handler. Errors: as Publish, and
  //   kInvalidArgument   Topic Filter not valid
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
  // stay. Errors: kUnavailable, kDeadlineExceeded if DISCONNECT could not be sent.
  template <typename Token = DefaultToken>
  auto Disconnect(Token&& token = Token()) {
    return Initiate<absl::Status>(std::forward<Token>(token),
                                  [this](Completion<absl::Status> done) { StartDisconnect(std::move(done)); });
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

  // Calls `watcher` on executor(), first with the state as it is, then at every
  // change, in order, until the returned watch is destroyed. After a reconnect it
  // is called before any message arrives or any queued message is sent.
  std::unique_ptr<StateWatch> WatchState(absl::AnyInvocable<void(const ConnectionState&)> watcher);

  // The strand that all work and all handlers run on.
  asio::any_io_executor executor() const;
  const Environment& environment() const;
  std::string broker() const;  // The URL, for messages.

 private:
  class Impl;
  void StartPublish(Message message, Completion<absl::StatusOr<ReasonCode>> done);
  void StartSubscribe(Subscription subscription, MessageHandler handler, Completion<absl::StatusOr<ReasonCode>> done);
  void StartUnsubscribe(std::string topic_filter, Completion<absl::StatusOr<ReasonCode>> done);
  void StartDisconnect(Completion<absl::Status> done);
  void StartUntilConnected(Completion<absl::Status> done);

  std::shared_ptr<Impl> impl_;
};

}  // namespace mqttrpc::mqtt
