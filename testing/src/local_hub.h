// Publish and subscribe inside a process: from whoever publishes to the handlers that match.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/rpc/message_bus.h"

namespace mqttrpc::testing {

class LocalBus;

// Any thread. Handlers and completions run on its executor, which is a strand.
class LocalHub final : public std::enable_shared_from_this<LocalHub> {
 public:
  using CodeCompletion = mqtt::Completion<absl::StatusOr<mqtt::ReasonCode>>;

  LocalHub(asio::any_io_executor executor, mqtt::Environment environment);

  void Publish(mqtt::Message&& message, CodeCompletion&& done);
  void Subscribe(const LocalBus& who, mqtt::Subscription subscription, mqtt::MessageHandler handler,
                 CodeCompletion done);
  void Unsubscribe(const LocalBus& who, std::string_view topic_filter, CodeCompletion done);
  void Forget(const LocalBus& who);

  const asio::any_io_executor& executor() const { return executor_; }
  const mqtt::Environment& environment() const { return environment_; }

 private:
  struct Subscriber;
  using Subscribers = std::vector<std::shared_ptr<Subscriber>>;

  void Deliver(const mqtt::Message& message, CodeCompletion done);
  Subscribers Matching(std::string_view topic_name);
  void End(CodeCompletion done, absl::StatusOr<mqtt::ReasonCode> result) const;

  // Set at construction.
  const asio::any_io_executor executor_;
  const mqtt::Environment environment_;

  std::mutex mutex_;
  Subscribers subscribers_;                                // In the order they came.
  std::map<std::string, std::size_t, std::less<>> turns_;  // Of the groups' members.
};

// One participant.
class LocalBus final : public MessageBus {
 public:
  LocalBus(std::shared_ptr<LocalHub> hub, std::string client_id)
      : hub_(std::move(hub)), client_id_(std::move(client_id)) {}
  ~LocalBus() override { hub_->Forget(*this); }

  std::unique_ptr<mqtt::StateWatch> WatchState(absl::AnyInvocable<void(const mqtt::ConnectionState&)> watcher) override;
  std::string client_id() const override { return client_id_; }
  std::string broker() const override { return "local"; }
  asio::any_io_executor executor() const override { return hub_->executor(); }
  const mqtt::Environment& environment() const override { return hub_->environment(); }

 private:
  void StartPublish(mqtt::Message&& message, LocalHub::CodeCompletion&& done) override {
    hub_->Publish(std::move(message), std::move(done));
  }
  void StartSubscribe(mqtt::Subscription subscription, mqtt::MessageHandler handler,
                      LocalHub::CodeCompletion done) override {
    hub_->Subscribe(*this, std::move(subscription), std::move(handler), std::move(done));
  }
  void StartUnsubscribe(std::string topic_filter, LocalHub::CodeCompletion done) override {
    hub_->Unsubscribe(*this, topic_filter, std::move(done));
  }
  void StartUntilConnected(mqtt::Completion<absl::Status> done) override { done(absl::OkStatus()); }

  const std::shared_ptr<LocalHub> hub_;
  const std::string client_id_;
};

}  // namespace mqttrpc::testing
