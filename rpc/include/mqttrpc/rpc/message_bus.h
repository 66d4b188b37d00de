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

// One participant of publish and subscribe. Its functions promise what those of
// mqtt::Client with the same names do: any thread may call them, handlers and watchers run
// on executor(), one after the other, in order, and what was begun ends once.
//
// Whoever implements it must not call a message handler or a watcher from inside of one of
// these functions; completions it may.
class MessageBus {
 public:
  virtual ~MessageBus() = default;

  template <typename Token>
  auto Publish(mqtt::Message message, Token&& token) {
    return mqtt::Initiate<absl::StatusOr<mqtt::ReasonCode>>(
        std::forward<Token>(token),
        [this](mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>>&& done, mqtt::Message&& what) {
          StartPublish(std::move(what), std::move(done));
        },
        std::move(message));
  }

  template <typename Token>
  auto Subscribe(mqtt::Subscription subscription, mqtt::MessageHandler handler, Token&& token) {
    return mqtt::Initiate<absl::StatusOr<mqtt::ReasonCode>>(
        std::forward<Token>(token),
        [this](mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done, mqtt::Subscription what,
               mqtt::MessageHandler with) { StartSubscribe(std::move(what), std::move(with), std::move(done)); },
        std::move(subscription), std::move(handler));
  }

  template <typename Token>
  auto Unsubscribe(std::string topic_filter, Token&& token) {
    return mqtt::Initiate<absl::StatusOr<mqtt::ReasonCode>>(
        std::forward<Token>(token),
        [this](mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done, std::string what) {
          StartUnsubscribe(std::move(what), std::move(done));
        },
        std::move(topic_filter));
  }

  template <typename Token>
  auto UntilConnected(Token&& token) {
    return mqtt::Initiate<absl::Status>(std::forward<Token>(token), [this](mqtt::Completion<absl::Status> done) {
      StartUntilConnected(std::move(done));
    });
  }

  [[nodiscard]] virtual std::unique_ptr<mqtt::StateWatch> WatchState(
      absl::AnyInvocable<void(const mqtt::ConnectionState&)> watcher) = 0;

  virtual std::string client_id() const = 0;  // Known once connected.
  virtual std::string broker() const = 0;     // For messages.
  virtual asio::any_io_executor executor() const = 0;
  virtual const mqtt::Environment& environment() const = 0;

 private:
  virtual void StartPublish(mqtt::Message&& message, mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>>&& done) = 0;
  virtual void StartSubscribe(mqtt::Subscription subscription, mqtt::MessageHandler handler,
                              mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done) = 0;
  virtual void StartUnsubscribe(std::string topic_filter, mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done) = 0;
  virtual void StartUntilConnected(mqtt::Completion<absl::Status> done) = 0;
};

}  // namespace mqttrpc
