// What channels and servers stand on: an MQTT client, or what stands in its place, such as
// the link inside a process that mqttrpc::testing has.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/mqtt/completion.h"
#include "mqttrpc/mqtt/connection_state.h"
#include "mqttrpc/mqtt/environment.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/mqtt/reason_code.h"
#include "mqttrpc/mqtt/subscription.h"

namespace mqttrpc {

// One participant of publish and subscribe, which outlives the channels and servers on it. Its
// functions promise what those of mqtt::Client with the same names do: any thread may call them,
// handlers and watchers run on executor(), one after the other, in order, and what was begun
// ends once, with the errors that the client's has.
//
// Whoever implements it must not call a message handler or a watcher from inside of one of
// these functions; completions it may, and else calls them on executor(). Why it is there:
// docs/decisions/0023-message-bus.md.
class MessageBus {
 public:
  virtual ~MessageBus() = default;

  // kNoMatchingSubscribers says that nobody gets it: a call then ends at once. Errors: kUnavailable
  // and kCancelled leave open whether it arrives; after any other it does not. kResourceExhausted
  // with no Reason Code (mqtt::ReasonCodeOf()), or with 0x97, means that there was no room: a frame
  // of a stream is published again a second later. The token's slot may end it early, with kCancelled.
  template <typename Token>
  auto Publish(mqtt::Message message, Token&& token) {
    return mqtt::Initiate<absl::StatusOr<mqtt::ReasonCode>>(
        std::forward<Token>(token),
        [this](mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>>&& done, mqtt::Message&& what) {
          StartPublish(std::move(what), std::move(done));
        },
        std::move(message));
  }

  // What matches goes to `handler` from when this completes, in each publisher's order, with views
  // that live until it returns; the same filter again replaces it. Shared filters (MQTT 4.8.2)
  // too: pools use them.
  template <typename Token>
  auto Subscribe(mqtt::Subscription subscription, mqtt::MessageHandler handler, Token&& token) {
    return mqtt::Initiate<absl::StatusOr<mqtt::ReasonCode>>(
        std::forward<Token>(token),
        [this](mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done, mqtt::Subscription what,
               mqtt::MessageHandler with) { StartSubscribe(std::move(what), std::move(with), std::move(done)); },
        std::move(subscription), std::move(handler));
  }

  // The handler is not called any more once this completes.
  template <typename Token>
  auto Unsubscribe(std::string topic_filter, Token&& token) {
    return mqtt::Initiate<absl::StatusOr<mqtt::ReasonCode>>(
        std::forward<Token>(token),
        [this](mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done, std::string what) {
          StartUnsubscribe(std::move(what), std::move(done));
        },
        std::move(topic_filter));
  }

  // Completes once connected; or says why that will not be.
  template <typename Token>
  auto UntilConnected(Token&& token) {
    return mqtt::Initiate<absl::Status>(std::forward<Token>(token), [this](mqtt::Completion<absl::Status> done) {
      StartUntilConnected(std::move(done));
    });
  }

  // The state as it is, then each change, before any message that arrives after it. Channels and
  // servers look at kind, why, session_present and client_id, and in CONNACK at Receive Maximum
  // and Maximum Packet Size (MQTT 3.2.2.3.3, 3.2.2.3.6): absent, 65,535 and no limit.
  [[nodiscard]] virtual std::unique_ptr<mqtt::StateWatch> WatchState(
      absl::AnyInvocable<void(const mqtt::ConnectionState&)> watcher) = 0;

  virtual std::string client_id() const = 0;  // Known once connected.
  virtual std::string broker() const = 0;     // For messages.
  virtual asio::any_io_executor executor() const = 0;
  // Whose clock deadlines are measured by. Copied; what it points to lives as mqtt::Environment says.
  virtual const mqtt::Environment& environment() const = 0;

 private:
  virtual void StartPublish(mqtt::Message&& message, mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>>&& done) = 0;
  virtual void StartSubscribe(mqtt::Subscription subscription, mqtt::MessageHandler handler,
                              mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done) = 0;
  virtual void StartUnsubscribe(std::string topic_filter, mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done) = 0;
  virtual void StartUntilConnected(mqtt::Completion<absl::Status> done) = 0;
};

}  // namespace mqttrpc
