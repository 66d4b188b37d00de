#include "mqttrpc/rpc/server.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <asio/dispatch.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>

#include "client_bus.h"
#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"
#include "mqttrpc/rpc/channel.h"
#include "names.h"
#include "server_impl.h"
#include "stream_limits.h"
#include "text.h"

namespace mqttrpc {

using mqtt::ReasonCode;
using std::chrono::milliseconds;

namespace {

// How long handlers may take to end after they were cancelled by Stop().
constexpr milliseconds kCancelGrace{1'000};

}  // namespace

Server::Impl::Impl(std::shared_ptr<MessageBus> bus, ServerOptions options)
    : options_(std::move(options)),
      environment_(bus->environment()),
      executor_(bus->executor()),
      options_status_(CheckOptions()),
      interceptors_(Shared(options_.interceptors)),
      codec_(options_.name_space),
      bus_(std::move(bus)),
      dispatcher_(options_, codec_, *this, *environment_.log),
      timer_(environment_.clock->NewTimer(executor_)) {
  dispatcher_.set_instance(options_.instance);
}

Server::Impl::~Impl() = default;

absl::Status Server::Impl::CheckOptions() const {
  if (absl::Status status = CheckNameSpace(options_.name_space); !status.ok()) return status;
  if (absl::Status status = CheckLimits(options_.limits); !status.ok()) return status;
  if (!options_.instance.empty() && (!IsId(options_.instance) || IsGroupTarget(options_.instance))) {
    return absl::InvalidArgumentError(
        absl::StrCat("instance ", Quoted(options_.instance), " is not [A-Za-z0-9_.-]{1,64}, or is _, _all or _g.*"));
  }
  if (options_.default_timeout < milliseconds(0) || options_.default_timeout > kMaximumTimeout) {
    return absl::InvalidArgumentError(
        absl::StrCat("default_timeout is ", options_.default_timeout.count(), " ms; 0 to 30 days are allowed"));
  }
  return absl::OkStatus();
}

template <typename Act>
void Server::Impl::Later(Act act) {
  asio::post(executor_, [weak = weak_from_this(), act = std::move(act)]() mutable {
    const auto self = weak.lock();
    if (self == nullptr) return act(nullptr);
    const Lock lock(*self);
    act(self->bus_ != nullptr ? self.get() : nullptr);
  });
}

Server::Impl::Lock::Lock(const Impl& impl) : impl_(impl), lock_(impl.mutex_) { ++impl_.locks_; }

Server::Impl::Lock::~Lock() {
  while (impl_.locks_ == 1 && !impl_.steps_.empty()) {
    for (auto& [done, yes] : impl_.steps_.Take()) done(yes);
  }
  --impl_.locks_;
}

void Server::Impl::Open() {
  const Lock lock(*this);
  watch_ = bus_->WatchState([weak = weak_from_this()](const mqtt::ConnectionState& state) {
    if (const auto self = weak.lock()) self->ConnectionIs(state);
  });
}

void Server::Impl::ConnectionIs(const mqtt::ConnectionState& state) {
  const Lock lock(*this);
  if (bus_ == nullptr) return;
  if (state.kind == mqtt::ConnectionState::Kind::kConnected) {
    const auto bytes = state.connack_properties.Get(mqtt::property::kMaximumPacketSize);
    const auto messages = state.connack_properties.Get(mqtt::property::kReceiveMaximum);
    dispatcher_.Connected(state.session_present, bytes.has_value() ? *bytes : SIZE_MAX, messages.value_or(65'535),
                          Now());
  } else {
    dispatcher_.Disconnected(Now());
  }
  ArmTimer();
}

void Server::Impl::Close() {
  std::unique_ptr<mqtt::StateWatch> watch;  // Ends unlocked: it may wait for ConnectionIs().
  {
    const Lock lock(*this);
    if (phase_ == Phase::kSubscribing || phase_ == Phase::kServing) UnsubscribeAll(false);
    phase_ = Phase::kStopped;
    if (!later_filter_.empty()) UnsubscribeFrom(std::exchange(later_filter_, {}), false);
    EndStart(absl::CancelledError("server is gone"));
    EndStop(absl::CancelledError("server is gone"));
    dispatcher_.CancelAll(absl::OkStatus(), Now());
    dispatcher_.ForgetAll();
    watch = std::move(watch_);
    bus_ = nullptr;
    // Timers are used on their executor only.
    asio::dispatch(executor_, [timer = std::shared_ptr<mqtt::Timer>(std::move(timer_))] {});
  }
  gate_->Close();
}

void Server::Impl::Add(Service& service) {
  const Lock lock(*this);
  dispatcher_.Add(service);
}

std::string Server::Impl::instance() const {
  const Lock lock(*this);
  return dispatcher_.instance();
}

std::size_t Server::Impl::running_calls() const {
  const Lock lock(*this);
  return dispatcher_.running();
}

std::size_t Server::Impl::waiting_calls() const {
  const Lock lock(*this);
  return dispatcher_.held();
}

std::size_t Server::Impl::remembered_calls() const {
  const Lock lock(*this);
  return dispatcher_.remembered();
}

// --- Start

void Server::Impl::Start(Done done) {
  if (asio::cancellation_slot slot = done.slot(); slot.is_connected()) {
    slot.assign([weak = weak_from_this()](asio::cancellation_type) {
      if (const auto self = weak.lock()) {
        self->Later([](Impl* it) {
          if (it != nullptr) it->EndStart(absl::CancelledError("start was cancelled"));
        });
      }
    });
  }
  Later([done = std::move(done)](Impl* it) mutable {
    if (it == nullptr) return done(absl::CancelledError("server is gone"));
    it->Begin(std::move(done));
  });
}

void Server::Impl::Begin(Done done) {
  if (phase_ != Phase::kNew) return done(absl::FailedPreconditionError("server was started before"));
  if (!options_status_.ok()) return done(options_status_);
  phase_ = Phase::kConnecting;
  start_done_ = std::move(done);
  bus_->UntilConnected([weak = weak_from_this()](absl::Status status) {
    if (const auto self = weak.lock()) self->Subscribe(status);
  });
}

void Server::Impl::Subscribe(const absl::Status& connected) {
  const Lock lock(*this);
  if (bus_ == nullptr || phase_ != Phase::kConnecting) return;
  if (!connected.ok()) return EndStart(connected);
  if (dispatcher_.instance().empty()) dispatcher_.set_instance(IdFrom(bus_->client_id()));
  phase_ = Phase::kSubscribing;
  topic_filters_ = TopicFilters();
  later_filter_ = codec_.LaterFilter(dispatcher_.instance());
  subscribing_ = topic_filters_.size() + 1;
  SubscribeTo(later_filter_);
  for (const std::string& topic_filter : std::vector<std::string>(topic_filters_)) SubscribeTo(topic_filter);
}

std::vector<std::string> Server::Impl::TopicFilters() const {
  std::vector<std::string> topic_filters{codec_.InstanceFilter(dispatcher_.instance())};
  if (!options_.join_pool) return topic_filters;
  for (const auto& [name, service] : dispatcher_.services()) {
    const std::string_view group = service->info().share_group.empty() ? name : service->info().share_group;
    topic_filters.push_back(codec_.PoolFilter(group, name));
  }
  return topic_filters;
}

void Server::Impl::SubscribeTo(const std::string& topic_filter) {
  mqtt::Subscription subscription(topic_filter);
  subscription.retain_handling = 2;         // Retained messages are no requests: none at the start,
  subscription.retain_as_published = true;  // and later ones are told by their flag.
  bus_->Subscribe(
      std::move(subscription),
      [weak = weak_from_this()](const mqtt::MessageView& message) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        const Lock lock(*self);
        if (self->bus_ == nullptr) return;
        self->dispatcher_.Arrived(message, self->Now());
        self->ArmTimer();
      },
      [weak = weak_from_this(), topic_filter](const absl::StatusOr<ReasonCode>& result) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        self->Subscribed(result.ok() ? absl::OkStatus()
                                     : absl::Status(result.status().code(),
                                                    absl::StrCat(topic_filter, ": ", result.status().message())));
      });
}

void Server::Impl::Subscribed(const absl::Status& status) {
  const Lock lock(*this);
  --subscribing_;
  if (subscribe_status_.ok()) subscribe_status_ = status;
  if (bus_ == nullptr || phase_ != Phase::kSubscribing || subscribing_ > 0) return;
  if (!subscribe_status_.ok()) return EndStart(subscribe_status_);
  EndStart(absl::OkStatus());
}

void Server::Impl::EndStart(absl::Status status) {
  if (!start_done_) return;
  if (!status.ok() && phase_ == Phase::kSubscribing) UnsubscribeAll(false);
  phase_ = status.ok() ? Phase::kServing : Phase::kStopped;
  std::exchange(start_done_, Done())(std::move(status));
}

// --- Stop

void Server::Impl::Stop(milliseconds patience, Done done) {
  if (asio::cancellation_slot slot = done.slot(); slot.is_connected()) {
    slot.assign([weak = weak_from_this()](asio::cancellation_type) {
      if (const auto self = weak.lock()) {
        self->Later([](Impl* it) {
          if (it != nullptr) it->EndStop(absl::CancelledError("stop was cancelled"));
        });
      }
    });
  }
  Later([patience, done = std::move(done)](Impl* it) mutable {
    if (it == nullptr) return done(absl::CancelledError("server is gone"));
    it->Drain(patience, std::move(done));
  });
}

void Server::Impl::Drain(milliseconds patience, Done done) {
  if (stop_done_) return done(absl::FailedPreconditionError("server is being stopped"));
  if (phase_ == Phase::kConnecting || phase_ == Phase::kSubscribing) {
    EndStart(absl::CancelledError("server was stopped"));
  }
  if (phase_ != Phase::kServing && phase_ != Phase::kDraining) {
    phase_ = Phase::kStopped;
    return done(absl::OkStatus());
  }
  stop_done_ = std::move(done);
  patience_until_ = Now() + std::clamp(patience, milliseconds(0), kMaximumTimeout);
  if (std::exchange(phase_, Phase::kDraining) == Phase::kServing) {
    dispatcher_.StartDraining();
    UnsubscribeAll(true);
  }
  CheckDrained();
  ArmTimer();
}

void Server::Impl::UnsubscribeAll(bool count) {
  for (std::string& topic_filter : std::exchange(topic_filters_, {})) UnsubscribeFrom(std::move(topic_filter), count);
  if (!count && !later_filter_.empty()) UnsubscribeFrom(std::exchange(later_filter_, {}), false);
}

void Server::Impl::UnsubscribeFrom(std::string topic_filter, bool count) {
  if (count) ++unsubscribing_;
  bus_->Unsubscribe(std::move(topic_filter), [weak = weak_from_this(), count](const absl::StatusOr<ReasonCode>&) {
    const auto self = weak.lock();
    if (self == nullptr || !count) return;
    const Lock lock(*self);
    --self->unsubscribing_;
    self->CheckDrained();
  });
}

void Server::Impl::CheckDrained() {
  if (!stop_done_ || std::exchange(checking_drained_, true)) return;
  CheckWhatIsLeft();
  checking_drained_ = false;
}

void Server::Impl::CheckWhatIsLeft() {
  if (patience_over_) {  // What is said to callers now should still reach them.
    const bool all_ended = dispatcher_.running() == 0 && answers_under_way_ == 0;
    return all_ended || Now() >= patience_until_ ? EndStop(PatienceOver()) : void();
  }
  if (working() == 0 && answers_under_way_ == 0 && !later_filter_.empty()) {
    UnsubscribeFrom(std::exchange(later_filter_, {}), true);
  }
  if (working() == 0 && answers_under_way_ == 0 && unsubscribing_ == 0) return EndStop(absl::OkStatus());
  if (Now() < patience_until_) return;
  if (working() == 0) return EndStop(PatienceOver());
  patience_over_ = true;
  cancelled_handlers_ = dispatcher_.running();
  given_up_calls_ = dispatcher_.held();
  patience_until_ = Now() + kCancelGrace;
  absl::Status why = absl::UnavailableError(absl::StrCat("server ", dispatcher_.instance(), " stopped"));
  SetOutcome(why, Outcome::kPerhaps);
  dispatcher_.CancelAll(why, Now());
  if (working() == 0 && answers_under_way_ == 0) EndStop(PatienceOver());
}

absl::Status Server::Impl::PatienceOver() const {
  if (!patience_over_) {
    return absl::DeadlineExceededError(absl::StrCat("the broker has not acknowledged ", answers_under_way_,
                                                    " answers and ", unsubscribing_, " ended subscriptions"));
  }
  std::vector<std::string> left;
  if (cancelled_handlers_ > 0) {
    left.push_back(absl::StrCat(cancelled_handlers_, " handlers still ran and were cancelled"));
  }
  if (const std::size_t running = dispatcher_.running(); running > 0) {
    left.push_back(absl::StrCat(running, " of them do not heed it and run on"));
  }
  if (given_up_calls_ > 0) {
    left.push_back(absl::StrCat(given_up_calls_, " calls had half a request or an end that nobody confirmed"));
  }
  if (answers_under_way_ > 0) {
    left.push_back(absl::StrCat("the broker has not acknowledged ", answers_under_way_, " answers"));
  }
  return absl::DeadlineExceededError(absl::StrJoin(left, "; "));
}

void Server::Impl::EndStop(absl::Status status) {
  if (!stop_done_) return;
  if (!absl::IsCancelled(status)) phase_ = Phase::kStopped;
  patience_until_ = mqtt::kNever;
  patience_over_ = false;
  cancelled_handlers_ = given_up_calls_ = 0;
  if (phase_ == Phase::kStopped && !later_filter_.empty()) UnsubscribeFrom(std::exchange(later_filter_, {}), false);
  std::exchange(stop_done_, Done())(std::move(status));
}

// --- While serving

void Server::Impl::SendAnswer(mqtt::Message message) {
  if (bus_ == nullptr) return;
  ++answers_under_way_;
  mqtt::Completion<absl::StatusOr<ReasonCode>> sent(
      [weak = weak_from_this()](const absl::StatusOr<ReasonCode>& result) {
        if (const auto self = weak.lock()) self->AnswerSent(result);
      });
  bus_->Publish(std::move(message), std::move(sent));
}

void Server::Impl::AnswerSent(const absl::StatusOr<ReasonCode>& result) {
  const Lock lock(*this);
  --answers_under_way_;
  if (!result.ok() && environment_.log->Wants(mqtt::LogLevel::kWarning)) {
    environment_.log->Write(mqtt::LogLevel::kWarning,
                            absl::StrCat("event=answer_lost instance=", dispatcher_.instance(),
                                         " why=", Quoted(mqtt::ToStd(result.status().message()))));
  }
  CheckDrained();
}

void Server::Impl::SendFrame(mqtt::Message message, std::shared_ptr<ServerCall::State> fragment_of, std::size_t bytes) {
  if (bus_ == nullptr) return;
  if (fragment_of == nullptr) return bus_->Publish(std::move(message), [](const absl::StatusOr<ReasonCode>&) {});
  mqtt::Completion<absl::StatusOr<ReasonCode>> sent(
      [weak = weak_from_this(), call = std::move(fragment_of), bytes](const absl::StatusOr<ReasonCode>& result) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        const Lock lock(*self);
        if (self->bus_ == nullptr) return;
        self->dispatcher_.FrameSent(*call, bytes, result.status(), self->Now());
        self->ArmTimer();
      });
  bus_->Publish(std::move(message), std::move(sent));
}

void Server::Impl::Read(ServerCall::State& call, google::protobuf::Message& message, mqtt::Completion<bool> done,
                        std::uint64_t number) {
  const Lock lock(*this);
  const StepQueue::Beginning beginning(steps_);
  dispatcher_.Read(call, message, std::move(done), number, Now());
  ArmTimer();
}

void Server::Impl::CancelRead(ServerCall::State& call, std::uint64_t number) {
  const Lock lock(*this);
  dispatcher_.CancelRead(call, number);
}

void Server::Impl::Write(ServerCall::State& call, WrittenMessage message, mqtt::Completion<bool> done) {
  const Lock lock(*this);
  const StepQueue::Beginning beginning(steps_);
  dispatcher_.Write(call, std::move(message), std::move(done), Now());
  ArmTimer();
}

void Server::Impl::GiveUp(ServerCall::State& call, const absl::Status& why) {
  const Lock lock(*this);
  if (bus_ == nullptr) return;
  dispatcher_.GiveUp(call, why, Now());
  ArmTimer();
}

std::shared_ptr<const HandlerPlace> Server::Impl::PlaceForHandler() {
  if (home_place_ != nullptr) return home_place_;
  auto place = std::make_shared<HandlerPlace>();
  place->sink = weak_from_this();
  place->home = executor_;
  place->hop = static_cast<bool>(options_.handler_executor);
  place->executor = place->hop ? asio::any_io_executor(asio::make_strand(options_.handler_executor)) : executor_;
  if (!place->hop) home_place_ = place;
  return place;
}

void Server::Impl::RunHandler(Service& service, std::size_t method, std::shared_ptr<ServerCall::State> call) {
  const auto run = [interceptors = interceptors_](Service& with, std::size_t number,
                                                  const std::shared_ptr<ServerCall::State>& what) {
    try {
      if (interceptors != nullptr && !what->Intercept(interceptors)) return;
      with.Serve(number, ServerCall(what));
    } catch (...) {
      what->FinishWithException(std::current_exception());
    }
  };
  if (!options_.handler_executor) {
    run(service, method, call);
    if (call->linked()) call->OwnPayload();  // Still at work: the message it borrows from goes now.
    return;
  }
  const asio::any_io_executor executor = call->executor();
  asio::post(executor, [run, &service, method, gate = gate_, call = std::move(call)] {
    if (call->cancelled() || !gate->Enter()) return call->FinishUnanswered();
    run(service, method, call);
    gate->Leave();
  });
}

void Server::Impl::HandlerEnded(ServerCall::State& call, Answer answer) {
  const Lock lock(*this);
  dispatcher_.HandlerEnded(call, std::move(answer), Now());
  CheckDrained();
}

void Server::Impl::HandlerLost(ServerCall::State& call) {
  const Lock lock(*this);
  dispatcher_.HandlerLost(call);
}

void Server::Impl::ArmTimer() {
  const mqtt::TimePoint next = std::min(dispatcher_.Next(), patience_until_);
  if (next >= armed_ || timer_ == nullptr) return;
  armed_ = next;
  timer_->Arm(next, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->TimerFired();
  });
}

void Server::Impl::TimerFired() {
  const Lock lock(*this);
  if (bus_ == nullptr) return;
  armed_ = mqtt::kNever;
  dispatcher_.TimeIs(Now());
  CheckDrained();
  ArmTimer();
}

// --- The public class

Server::Server(mqtt::Client& client, ServerOptions options)
    : impl_(std::make_shared<Impl>(std::make_shared<ClientBus>(client), std::move(options))) {
  impl_->Open();
}

Server::Server(MessageBus& bus, ServerOptions options)
    : impl_(std::make_shared<Impl>(Borrow(bus), std::move(options))) {
  impl_->Open();
}

Server::~Server() { impl_->Close(); }

void Server::Add(Service& service) { impl_->Add(service); }
void Server::StartServing(mqtt::Completion<absl::Status> done) { impl_->Start(std::move(done)); }
void Server::StartStopping(milliseconds patience, mqtt::Completion<absl::Status> done) {
  impl_->Stop(patience, std::move(done));
}
std::string Server::instance() const { return impl_->instance(); }
std::size_t Server::running_calls() const { return impl_->running_calls(); }
std::size_t Server::waiting_calls() const { return impl_->waiting_calls(); }
std::size_t Server::remembered_calls() const { return impl_->remembered_calls(); }

}  // namespace mqttrpc
