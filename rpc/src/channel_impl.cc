#include "channel_impl.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <asio/dispatch.hpp>
#include <asio/post.hpp>

#include "mqttrpc/mqtt/status.h"
#include "names.h"
#include "payload.h"
#include "stream_limits.h"
#include "text.h"

namespace mqttrpc {

using mqtt::ReasonCode;
using mqtt::ToAbsl;
using mqtt::ToStd;
using std::chrono::milliseconds;
using CodeCompletion = mqtt::Completion<absl::StatusOr<ReasonCode>>;

Channel::Impl::Impl(std::shared_ptr<MessageBus> bus, mqtt::Client* client, ChannelOptions options)
    : public_client_(client),
      options_(std::move(options)),
      environment_(bus->environment()),
      executor_(bus->executor()),
      options_status_(CheckOptions()),
      interceptors_(Shared(options_.interceptors)),
      codec_(options_.name_space),
      bus_(std::move(bus)),
      table_(*this, bus_->broker(), options_.maximum_calls, options_.retry_throttle),
      timer_(environment_.clock->NewTimer(executor_)),
      inbox_(options_.inbox) {
  if (!inbox_.empty()) return;
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  for (int i = 0; i < 10; ++i) inbox_.push_back(kDigits[environment_.random->Below(kDigits.size())]);
}

absl::Status Channel::Impl::CheckOptions() const {
  if (absl::Status status = CheckNameSpace(options_.name_space); !status.ok()) return status;
  if (!options_.inbox.empty() && !IsId(options_.inbox)) {
    return absl::InvalidArgumentError(absl::StrCat("inbox ", Quoted(options_.inbox), " is not [A-Za-z0-9_.-]{1,64}"));
  }
  if (absl::Status status = CheckLimits(options_.limits); !status.ok()) return status;
  if (absl::Status status = CheckRetryPolicy(options_.retry); !status.ok()) return status;
  for (const auto& [name, policy] : options_.method_retry) {
    if (absl::Status status = CheckRetryPolicy(policy); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("method_retry of ", name, ": ", status.message()));
    }
  }
  if (options_.fragment_above < 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("fragment_above is ", options_.fragment_above, " bytes; at least 1,024 are needed"));
  }
  for (const milliseconds each : {options_.accept_timeout, options_.ping_interval}) {
    if (each >= milliseconds(100) && each <= std::chrono::hours(1)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("accept_timeout or ping_interval is ", each.count(), " ms; 100 ms to 1 hour are allowed"));
  }
  return absl::OkStatus();
}

void Channel::Impl::Open() {
  if (!options_status_.ok()) return;  // Every call says so.
  const Turn turn(*this);
  watch_ = bus_->WatchState([weak = weak_from_this()](const mqtt::ConnectionState& state) {
    if (const auto self = weak.lock()) self->ConnectionIs(state);
  });
}

void Channel::Impl::Close() {
  std::unique_ptr<mqtt::StateWatch> watch;  // Ends unlocked: it may wait for ConnectionIs().
  const Turn turn(*this);
  closing_ = true;
  table_.EndAll(absl::CancelledError("channel is gone"));
  if (!response_topic_.empty()) bus_->Unsubscribe(response_topic_, [](const absl::StatusOr<ReasonCode>&) {});
  bus_ = nullptr;
  watch = std::move(watch_);
  // Timers are used on their executor only.
  asio::dispatch(executor_, [timer = std::shared_ptr<mqtt::Timer>(std::move(timer_))] {});
}

Channel::Impl::Turn::Turn(Impl& impl) : impl_(impl), lock_(impl.mutex_) { ++impl_.turns_; }

// The user's code runs when the state is consistent and the lock is free.
Channel::Impl::Turn::~Turn() {
  if (--impl_.turns_ > 0) return;
  if (impl_.ended_.empty() && impl_.steps_.empty()) return;
  std::vector<Ended> ended = std::exchange(impl_.ended_, std::exchange(impl_.spare_, {}));
  std::vector<StepQueue::Step> steps = impl_.steps_.Take();
  lock_.unlock();
  for (auto& [done, yes] : steps) done(yes);
  for (auto& [done, status] : ended) done(std::move(status));
  ended.clear();
  lock_.lock();
  if (ended.capacity() <= kKeptEnds) impl_.spare_ = std::move(ended);
}

std::shared_ptr<ChannelCall> Channel::Impl::NewCall(PreparedCall&& prepared) {
  auto call = std::make_shared<ChannelCall>();
  call->keeps = std::move(prepared.keeps);
  call->service = prepared.service;
  call->method = prepared.method;
  call->target = std::move(prepared.target);
  call->payload = std::move(prepared.payload);
  call->timeout = prepared.options.timeout;
  call->options = std::move(prepared.options);
  call->chain = std::move(prepared.chain);
  return call;
}

// --- Connection

void Channel::Impl::ConnectionIs(const mqtt::ConnectionState& state) {
  using Kind = mqtt::ConnectionState::Kind;
  const Turn turn(*this);
  if (bus_ == nullptr) return;
  if (state.kind == Kind::kConnected) {
    caller_ = IdFrom(state.client_id);
    response_topic_ = codec_.InboxTopic(caller_, inbox_);
    last_failure_.clear();
    const auto receive_maximum = state.connack_properties.Get(mqtt::property::kReceiveMaximum);
    const auto packet = state.connack_properties.Get(mqtt::property::kMaximumPacketSize);
    broker_maximum_packet_ = packet.has_value() ? *packet : SIZE_MAX;
    // Two losses in a row are one, until answers can come again.
    if (!state.session_present) flows_wait_for_inbox_ = true;
    table_.Connected(state.session_present, receive_maximum.value_or(65'535));
    pacer_.Connected(receive_maximum.value_or(65'535));
    if (!flows_wait_for_inbox_) ResumeFlows(true);
  } else {
    if (!state.why.ok()) last_failure_ = std::string(state.why.message());
    const std::string_view otherwise = state.kind == Kind::kStopped ? "client is not started" : "connecting";
    pacer_.Disconnected();
    FlowsDisconnected();
    table_.Disconnected(last_failure_.empty() ? std::string(otherwise) : last_failure_);
  }
  ArmTimer();
}

void Channel::Impl::SubscribeInbox() {
  if (closing_) return;
  mqtt::Subscription subscription(response_topic_);
  subscription.retain_handling = 2;  // An answer is never retained.
  bus_->Subscribe(
      std::move(subscription),
      [weak = weak_from_this()](const mqtt::MessageView& message) {
        if (const auto self = weak.lock()) self->Arrived(message);
      },
      [weak = weak_from_this()](const absl::StatusOr<ReasonCode>& result) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        const Turn turn(*self);
        if (self->bus_ == nullptr) return;
        if (result.ok() && std::exchange(self->flows_wait_for_inbox_, false)) self->ResumeFlows(false);
        self->table_.InboxSettled(result.status());
        self->ArmTimer();
      });
}

// --- Calls going out

void Channel::Impl::Start(std::shared_ptr<ChannelCall> call, asio::cancellation_slot slot) {
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), weak_call = std::weak_ptr(call)](asio::cancellation_type) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      // Posted: the call must not end inside the caller's emit().
      asio::post(self->executor_, [self, weak_call] {
        if (const auto which = weak_call.lock()) self->CancelCall(*which);
      });
    });
  }
  // At once if this is the client's executor.
  executor_.execute([self = shared_from_this(), call = std::move(call)] { self->Begin(call); });
}

void Channel::Impl::Begin(const std::shared_ptr<ChannelCall>& call) {
  const Turn turn(*this);
  const StepQueue::Beginning beginning(steps_);
  SetRetry(*call);
  if (closing_) {
    Complete(*call, LocalStatus(absl::StatusCode::kCancelled, "channel is gone", Outcome::kNotExecuted));
  } else {
    call->id = NewId();
    if (call->streams()) {
      MakeFrames(*call, IsGroupTarget(call->target) ? "" : call->target);
      if (!table_.connected()) call->frames->Disconnected(Now());
      call->frames->ScheduleIn(flows_);
    }
    table_.Begin(call, Now());
    ArmTimer();
  }
}

void Channel::Impl::CancelCall(ChannelCall& call) {
  const Turn turn(*this);
  if (bus_ != nullptr) table_.Cancel(call);
}

void Channel::Impl::SetRetry(ChannelCall& call) {
  const RetryPolicy* policy = call.options.retry.has_value() ? &*call.options.retry : &options_.retry;
  if (!options_.method_retry.empty() && !call.options.retry.has_value()) {
    const auto found =
        options_.method_retry.find(absl::StrCat(ToAbsl(call.service->name), "/", ToAbsl(call.method->name)));
    if (found != options_.method_retry.end()) policy = &found->second;
  }
  if (policy->maximum_attempts <= 1 && !call.options.wait_for_ready) return;
  call.retry = std::make_unique<RetryState>(call, *policy, call.options.wait_for_ready);
}

double Channel::Impl::Chance() { return static_cast<double>(environment_.random->Below(1 << 20)) / (1 << 20); }

void Channel::Impl::GiveUp(ChannelCall& call, const absl::Status& why) {
  const Turn turn(*this);
  if (bus_ != nullptr) table_.GiveUp(call, why);
}

void Channel::Impl::EndUntold(ChannelCall& call) {
  absl::Status status = absl::CancelledError("its reader or writer is gone");
  {
    const Turn turn(*this);
    if (call.ended.has_value()) status = *call.ended;
    call.chain->info() = call.info;
  }
  call.chain->EndUntold(std::move(status));
}

CallId Channel::Impl::NewId() {
  if (random_used_ == random_.size()) {
    environment_.random->Fill(random_);
    random_used_ = 0;
  }
  CallId id;
  std::memcpy(id.data(), random_.data() + random_used_, id.size());
  random_used_ += id.size();
  return id;
}

RequestOut Channel::Impl::RequestHead(const PendingCall& call) const {
  RequestOut head;
  head.service = call.service->name;
  head.target = call.target;
  head.method = call.method->name;
  head.caller = caller_;
  head.correlation_data = call.correlation_data();
  // The messages of a stream may be lost; its opening frame may not.
  head.qos = call.method->kind == MethodKind::kUnary ? call.method->qos : mqtt::QoS::kAtLeastOnce;
  head.remaining = std::max(std::chrono::ceil<milliseconds>(call.deadline() - Now()), milliseconds(1));
  return head;
}

void Channel::Impl::Send(PendingCall& base) {
  auto& call = static_cast<ChannelCall&>(base);
  RequestOut head = RequestHead(call);
  if (!call.one_way()) head.response_topic = response_topic_;
  if (CallInfo* info = InfoOf(call)) *info = CallInfo();  // Of an earlier attempt, or call.
  head.content_type = call.options.content_type;
  head.attempt = call.attempt;
  head.metadata = &call.options.metadata;
  std::string payload;
  if (call.streams() || NeedsFragments(call, head)) {
    payload = OpenFrames(call, head);
  } else {
    if (!call.one_way()) head.maximum_packet = options_.limits.frame_bytes;
    if (!call.one_way() && call.timeout > 2 * options_.accept_timeout) {
      head.accept = options_.accept_timeout;
      head.idle = options_.ping_interval;
      MakeFrames(call, "");
      call.frames->Opened(Now(), options_.accept_timeout + kAcceptGrace);
      call.frames->ScheduleIn(flows_);
    }
    payload = call.keeps_payload() ? call.payload : std::move(call.payload);
  }
  mqtt::Message message = codec_.EncodeRequest(head, std::move(payload));
  if (call.attempt > 1) call.later_abandon = std::make_shared<asio::cancellation_signal>();
  const auto held = std::static_pointer_cast<ChannelCall>(call.shared_from_this());
  auto ended = [weak = weak_from_this(), held, attempt = call.attempt,
                abandon = call.later_abandon](const absl::StatusOr<ReasonCode>& result) {
    if (const auto self = weak.lock()) self->SendingEnded(*held, attempt, result);
  };
  bus_->Publish(std::move(message), CodeCompletion(std::move(ended), call.last_abandon().slot()));
}

void Channel::Impl::SendingEnded(ChannelCall& call, int attempt, const absl::StatusOr<ReasonCode>& result) {
  const Turn turn(*this);
  table_.SendingEnded(call, attempt, result);
}

// A signal is emitted on the client's executor only; Close() may be elsewhere.
void Channel::Impl::AbandonSending(PendingCall& base) {
  auto& call = static_cast<ChannelCall&>(base);
  if (!closing_) return call.last_abandon().emit(asio::cancellation_type::terminal);
  asio::post(executor_, [held = std::static_pointer_cast<ChannelCall>(call.shared_from_this())] {
    held->last_abandon().emit(asio::cancellation_type::terminal);
  });
}

void Channel::Impl::SendCancel(PendingCall& call) {
  if (bus_ == nullptr) return;
  const auto& frames = static_cast<ChannelCall&>(call).frames;
  if (call.later_topic.empty() && call.accepted() && !frames->instance.empty()) {  // Its accept was lost.
    return SendCancelTo(frames->instance, call.correlation_data());
  }
  // Nobody minds if it does not arrive: the deadline travelled with the request.
  bus_->Publish(codec_.EncodeCancel(RequestHead(call), call.later_topic), [](const absl::StatusOr<ReasonCode>&) {});
}

// --- Answers coming in

void Channel::Impl::Arrived(const mqtt::MessageView& message) {
  const Turn turn(*this);
  if (bus_ == nullptr) return;
  absl::StatusOr<ResponseIn> response = codec_.DecodeResponse(message);
  if (!response.ok()) return Debug("answer_dropped", ToStd(response.status().message()));
  const auto call = std::static_pointer_cast<ChannelCall>(table_.Find(response->correlation_data));
  if (call == nullptr) return LateAnswer(*response);
  if (response->frame.has_value() || !response->broken.ok()) {
    FrameArrived(*call, *response, message.payload);
  } else {
    if (IsFromOurs(*call, *response)) PlainAnswer(*call, *response, message.payload);
  }
  ArmTimer();
}

void Channel::Impl::TakeInfo(ChannelCall& call, ResponseIn& response) {
  CallInfo* info = InfoOf(call);
  if (info == nullptr) return;
  info->instance = std::string(response.instance);
  if (info->metadata.empty()) {
    info->metadata = std::move(response.metadata);
  } else {
    for (const auto& [key, value] : response.metadata) info->metadata.Add(key, value);
  }
}

void Channel::Impl::PlainAnswer(ChannelCall& call, ResponseIn& response, std::string_view payload) {
  TakeInfo(call, response);
  absl::Status status;
  if (response.status.code == 0 && call.reply == nullptr) {
    status = LocalStatus(absl::StatusCode::kInternal,
                         absl::StrCat("answer of ", call.Name(), ": a plain reply to a call whose replies stream"),
                         Outcome::kPerhaps);
  } else {
    status = StatusOfAnswer(call, response, payload);
  }
  table_.Answered(call, std::move(status));
}

absl::Status Channel::Impl::StatusOfAnswer(ChannelCall& call, const ResponseIn& response, std::string_view payload) {
  // A responder does not choose which parser reads it.
  const bool our_type = response.content_type == call.options.content_type;
  if (response.status.code != 0) return FromWire(response.status, our_type ? payload : "", response.content_type);
  if (call.reply == nullptr) return absl::OkStatus();
  if (!our_type) return BadReply(call, "Content Type is not the request's");
  if (absl::Status status = ReadPayload(payload, response.content_type, *call.reply); !status.ok()) {
    return BadReply(call, ToStd(status.message()));
  }
  return absl::OkStatus();
}

absl::Status Channel::Impl::BadReply(const ChannelCall& call, std::string_view why) {
  return LocalStatus(absl::StatusCode::kInternal, absl::StrCat("answer of ", call.Name(), ": ", ToAbsl(why)),
                     Outcome::kExecuted);
}

void Channel::Impl::Complete(PendingCall& base, absl::Status status) {
  auto& call = static_cast<ChannelCall&>(base);
  if (call.frames != nullptr) EndFrames(call);
  if (call.streams()) {
    call.ended = std::move(status);
    return TellEnd(call);
  }
  End(call, std::move(status));
}

void Channel::Impl::End(ChannelCall& call, absl::Status status) {
  if (!steps_.beginning()) {
    ended_.emplace_back(std::exchange(call.done, nullptr), std::move(status));
    return;
  }
  asio::post(executor_, [done = std::exchange(call.done, nullptr), status = std::move(status)]() mutable {
    done(std::move(status));
  });
}

void Channel::Impl::EndLater(std::shared_ptr<ChannelCall> call, absl::Status status) {
  asio::post(executor_, [call = std::move(call), status = std::move(status)]() mutable {
    call->done(WithOutcome(std::move(status), Outcome::kNotExecuted));
  });
}

void Channel::Impl::ArmTimer() {
  const mqtt::TimePoint next = std::min(table_.Next(), flows_.Next());
  if (next >= armed_ || timer_ == nullptr) return;
  armed_ = next;
  timer_->Arm(next, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->TimerFired();
  });
}

void Channel::Impl::TimerFired() {
  const Turn turn(*this);
  if (bus_ == nullptr) return;
  armed_ = mqtt::kNever;
  table_.TimeIs(Now());
  FlowsAreDue(Now());
  ArmTimer();
}

void Channel::Impl::Debug(std::string_view event, std::string_view why) const {
  if (!environment_.log->Wants(mqtt::LogLevel::kDebug)) return;
  environment_.log->Write(mqtt::LogLevel::kDebug,
                          absl::StrCat("event=", ToAbsl(event), " caller=", caller_, " why=", Quoted(why)));
}

}  // namespace mqttrpc
