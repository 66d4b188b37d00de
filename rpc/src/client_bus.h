// An MQTT client as the bus of a channel or server. Hands everything on as it is.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/rpc/message_bus.h"

namespace mqttrpc {

class ClientBus final : public MessageBus {
 public:
  explicit ClientBus(mqtt::Client& client) : client_(client) {}

  std::unique_ptr<mqtt::StateWatch> WatchState(
      absl::AnyInvocable<void(const mqtt::ConnectionState&)> watcher) override {
    return client_.WatchState(std::move(watcher));
  }
  std::string client_id() const override { return client_.state().client_id; }
  std::string broker() const override { return client_.broker(); }
  asio::any_io_executor executor() const override { return client_.executor(); }
  const mqtt::Environment& environment() const override { return client_.environment(); }

 private:
  void StartPublish(mqtt::Message&& message, mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>>&& done) override {
    client_.Publish(std::move(message), std::move(done));
  }
  void StartSubscribe(mqtt::Subscription subscription, mqtt::MessageHandler handler,
                      mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done) override {
    client_.Subscribe(std::move(subscription), std::move(handler), std::move(done));
  }
  void StartUnsubscribe(std::string topic_filter, mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>> done) override {
    client_.Unsubscribe(std::move(topic_filter), std::move(done));
  }
  void StartUntilConnected(mqtt::Completion<absl::Status> done) override { client_.UntilConnected(std::move(done)); }

  mqtt::Client& client_;
};

// Somebody else's bus, which lives longer.
inline std::shared_ptr<MessageBus> Borrow(MessageBus& bus) { return {std::shared_ptr<void>(), &bus}; }

}  // namespace mqttrpc
