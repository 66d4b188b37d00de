#include "local_hub.h"

#include <algorithm>
#include <utility>

#include <asio/post.hpp>

#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::testing {

using mqtt::QoS;
using mqtt::ReasonCode;

struct LocalHub::Subscriber {
  const LocalBus* who = nullptr;
  mqtt::Subscription subscription;
  std::string shared;            // The whole filter of a group's member; else empty.
  std::string topic_filter;      // What topics are matched with.
  mqtt::MessageHandler handler;  // The executor only.
  std::atomic<bool> gone = false;
};

LocalHub::LocalHub(asio::any_io_executor executor, mqtt::Environment environment)
    : executor_(std::move(executor)), environment_(environment) {}

void LocalHub::End(CodeCompletion done, absl::StatusOr<ReasonCode> result) const {
  asio::post(executor_, [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

// Who gets it is decided on delivery: by then those subscribe whose turn came before.
void LocalHub::Publish(mqtt::Message&& message, CodeCompletion&& done) {
  if (absl::Status status = mqtt::CheckTopicName(message.topic_name); !status.ok()) {
    return End(std::move(done), std::move(status));
  }
  asio::post(executor_, [self = shared_from_this(), message = std::move(message), done = std::move(done)]() mutable {
    self->Deliver(message, std::move(done));
  });
}

void LocalHub::Deliver(const mqtt::Message& message, CodeCompletion done) {
  const Subscribers matching = Matching(message.topic_name);
  const bool nobody = matching.empty() && message.qos != QoS::kAtMostOnce;
  done(nobody ? ReasonCode::kNoMatchingSubscribers : ReasonCode::kSuccess);
  for (const auto& each : matching) {
    if (each->gone) continue;  // Since one before it ran.
    mqtt::MessageView view;
    view.topic_name = message.topic_name;
    view.payload = message.payload;
    view.qos = std::min(message.qos, each->subscription.qos);
    view.retain = message.retain && each->subscription.retain_as_published;
    view.properties = message.properties;
    each->handler(view);
  }
}

// Of each group, the member whose turn it is.
LocalHub::Subscribers LocalHub::Matching(std::string_view topic_name) {
  const std::lock_guard lock(mutex_);
  Subscribers matching;
  std::map<std::string_view, Subscribers> groups;
  for (const auto& each : subscribers_) {
    if (!mqtt::Matches(each->topic_filter, topic_name)) continue;
    (each->shared.empty() ? matching : groups[each->shared]).push_back(each);
  }
  for (auto& [shared, members] : groups) {
    matching.push_back(members[turns_[std::string(shared)]++ % members.size()]);
  }
  return matching;
}

void LocalHub::Subscribe(const LocalBus& who, mqtt::Subscription subscription, mqtt::MessageHandler handler,
                         CodeCompletion done) {
  if (absl::Status status = mqtt::CheckTopicFilter(subscription.topic_filter); !status.ok()) {
    return End(std::move(done), std::move(status));
  }
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->who = &who;
  subscriber->topic_filter = subscription.topic_filter;
  if (const auto shared = mqtt::ParseSharedFilter(subscription.topic_filter)) {
    subscriber->shared = subscription.topic_filter;
    subscriber->topic_filter = shared->topic_filter;
  }
  subscriber->subscription = std::move(subscription);
  subscriber->handler = std::move(handler);
  const auto granted = static_cast<ReasonCode>(subscriber->subscription.qos);
  {
    const std::lock_guard lock(mutex_);
    const auto same = std::find_if(subscribers_.begin(), subscribers_.end(), [&](const auto& each) {
      return each->who == &who && each->subscription.topic_filter == subscriber->subscription.topic_filter;
    });
    if (same == subscribers_.end()) {
      subscribers_.push_back(std::move(subscriber));
    } else {
      std::exchange(*same, std::move(subscriber))->gone = true;
    }
  }
  End(std::move(done), granted);
}

void LocalHub::Unsubscribe(const LocalBus& who, std::string_view topic_filter, CodeCompletion done) {
  ReasonCode code = ReasonCode::kNoSubscriptionExisted;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(subscribers_.begin(), subscribers_.end(), [&](const auto& each) {
      return each->who == &who && each->subscription.topic_filter == topic_filter;
    });
    if (found != subscribers_.end()) {
      (*found)->gone = true;
      subscribers_.erase(found);
      code = ReasonCode::kSuccess;
    }
  }
  End(std::move(done), code);
}

void LocalHub::Forget(const LocalBus& who) {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscribers_, [&who](const auto& each) {
    if (each->who == &who) each->gone = true;
    return each->who == &who;
  });
}

namespace {

class LocalWatch final : public mqtt::StateWatch {
 public:
  explicit LocalWatch(std::shared_ptr<std::atomic<bool>> ended) : ended_(std::move(ended)) {}
  ~LocalWatch() override { *ended_ = true; }

 private:
  const std::shared_ptr<std::atomic<bool>> ended_;
};

}  // namespace

// The one state that never changes.
std::unique_ptr<mqtt::StateWatch> LocalBus::WatchState(absl::AnyInvocable<void(const mqtt::ConnectionState&)> watcher) {
  auto ended = std::make_shared<std::atomic<bool>>(false);
  mqtt::ConnectionState state;
  state.kind = mqtt::ConnectionState::Kind::kConnected;
  state.client_id = client_id_;
  state.broker = broker();
  asio::post(hub_->executor(), [ended, state = std::move(state), watcher = std::move(watcher)]() mutable {
    if (!*ended) watcher(state);
  });
  return std::make_unique<LocalWatch>(std::move(ended));
}

}  // namespace mqttrpc::testing
