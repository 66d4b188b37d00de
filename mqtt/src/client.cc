#include "mqttrpc/mqtt/client.h"

#include <utility>

#include "client_impl.h"

namespace mqttrpc::mqtt {
namespace {

// Null if there is none.
template <typename AnyHandler>
std::shared_ptr<Handler> Shared(AnyHandler handler) {
  return handler ? std::make_shared<Handler>(std::move(handler)) : nullptr;
}

}  // namespace

std::string_view NameOf(ConnectionState::Kind kind) {
  switch (kind) {
    case ConnectionState::Kind::kStopped: return "stopped";
    case ConnectionState::Kind::kConnecting: return "connecting";
    case ConnectionState::Kind::kConnected: return "connected";
    case ConnectionState::Kind::kWaiting: return "waiting";
  }
  return "unknown";
}

Client::Client(asio::any_io_executor executor, ClientOptions options)
    : impl_(std::make_shared<Impl>(executor, std::move(options))) {}

Client::~Client() { impl_->End(); }

void Client::Start() {
  impl_->Run([](ClientCore& core, TimePoint now) { core.Start(now); });
}

void Client::StartPublish(Message&& message, Completion<absl::StatusOr<ReasonCode>>&& done) {
  const OperationId id = impl_->Claim(done.slot());
  PublishNode operation;
  operation.emplace_back(id, std::move(message), std::move(done));
  impl_->Run([operation = std::move(operation)](ClientCore& core, TimePoint now) mutable {
    core.Publish(std::move(operation), now);
  });
}

void Client::StartSubscribe(Subscription subscription, MessageHandler handler,
                            Completion<absl::StatusOr<ReasonCode>> done) {
  impl_->Subscribe(std::move(subscription), Shared(std::move(handler)), std::move(done));
}

void Client::StartSubscribe(Subscription subscription, AcknowledgingHandler handler,
                            Completion<absl::StatusOr<ReasonCode>> done) {
  impl_->Subscribe(std::move(subscription), Shared(std::move(handler)), std::move(done));
}

void Client::StartUnsubscribe(std::string topic_filter, Completion<absl::StatusOr<ReasonCode>> done) {
  const OperationId id = impl_->Claim(done.slot());
  UnsubscribeOperation operation(id, std::move(topic_filter), std::move(done));
  impl_->Run([operation = std::move(operation)](ClientCore& core, TimePoint) mutable {
    core.Unsubscribe(std::move(operation));
  });
}

void Client::StartDisconnect(DisconnectOptions options, Completion<absl::Status> done) {
  const OperationId id = impl_->Claim(done.slot());
  impl_->Run([id, how = std::move(options), done = std::move(done)](ClientCore& core, TimePoint now) mutable {
    core.Disconnect(id, how, std::move(done), now);
  });
}

void Client::StartReauthenticate(Completion<absl::Status> done) {
  const OperationId id = impl_->Claim(done.slot());
  impl_->Run([id, done = std::move(done)](ClientCore& core, TimePoint now) mutable {
    core.Reauthenticate(id, std::move(done), now);
  });
}

void Client::StartUntilConnected(Completion<absl::Status> done) {
  const OperationId id = impl_->Claim(done.slot());
  impl_->Run(
      [id, done = std::move(done)](ClientCore& core, TimePoint) mutable { core.UntilConnected(id, std::move(done)); });
}

ConnectionState Client::state() const { return impl_->state(); }
ClientStatistics Client::statistics() const { return impl_->statistics(); }

std::unique_ptr<StateWatch> Client::WatchState(absl::AnyInvocable<void(const ConnectionState&)> watcher) {
  return impl_->Watch(std::move(watcher));
}

asio::any_io_executor Client::executor() const { return impl_->executor(); }
const Environment& Client::environment() const { return impl_->options().environment; }
std::string Client::broker() const {
  const ClientOptions& options = impl_->options();
  return options.brokers.empty() ? options.broker : options.brokers.front();
}

}  // namespace mqttrpc::mqtt
