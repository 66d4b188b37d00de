#include "client_impl.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "client_log.h"
#include "mqttrpc/mqtt/endpoint.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {

// What so many messages of a turn have caused is written before the others are handled:
// meanwhile the broker and whoever is behind it work on that. A small turn is one write.
constexpr int kMessagesOfFirstWrite = 8;

// Who writes one message after another, each when the one before is taken, gives one command
// in each handler. As long as it does, its turn waits: for so many handlers, and so long, at most.
constexpr int kMostHandlersWaited = 16;
constexpr std::chrono::microseconds kLongestTurnWait{100};

}  // namespace

struct Client::Impl::Watcher {
  explicit Watcher(absl::AnyInvocable<void(const ConnectionState&)> call_in) : call(std::move(call_in)) {}

  absl::AnyInvocable<void(const ConnectionState&)> call;
  std::atomic<bool> active{true};
  bool told = false;  // Anything yet. Strand only.
};

class Client::Impl::WatchHandle final : public StateWatch {
 public:
  WatchHandle(std::weak_ptr<Impl> impl, std::shared_ptr<Watcher> watcher)
      : impl_(std::move(impl)), watcher_(std::move(watcher)) {}

  ~WatchHandle() override {
    watcher_->active = false;
    const std::shared_ptr<Impl> impl = impl_.lock();
    if (impl == nullptr) return;
    // Not at once: this may be the watcher's own call.
    impl->strand_.Post([impl, watcher = std::move(watcher_)] { std::erase(impl->watchers_, watcher); });
  }

 private:
  const std::weak_ptr<Impl> impl_;
  std::shared_ptr<Watcher> watcher_;
};

Client::Impl::Impl(const asio::any_io_executor& executor, ClientOptions options)
    : options_(std::move(options)),
      strand_(executor),
      core_(options_, *options_.environment.random, *options_.environment.log),
      timer_(options_.environment.clock->NewTimer(strand_.executor())) {
  ConnectionState state;
  state.client_id = options_.client_id;
  state.broker = core_.broker();
  state_ = std::make_shared<const ConnectionState>(std::move(state));
}

OperationId Client::Impl::Claim(asio::cancellation_slot slot) {
  if (!slot.is_connected()) return 0;
  const OperationId id = ++last_operation_;
  slot.assign([weak = weak_from_this(), id](asio::cancellation_type type) {
    std::shared_ptr<Impl> self = weak.lock();
    if (type == asio::cancellation_type::none || self == nullptr) return;
    // Always posted: the operation's end destroys the very handler that runs here.
    const ClientStrand& strand = self->strand_;
    strand.Post([self = std::move(self), id] {
      self->core_.Cancel(id);
      self->ScheduleTurn();
    });
  });
  return id;
}

void Client::Impl::End() {
  const auto end = [](Impl& self) {
    self.ended_ = true;
    self.attempt_ = nullptr;
    self.transport_ = nullptr;
    self.watchers_.clear();
    self.core_.End();
    self.ScheduleTurn();
  };
  if (strand_.running_in_this_thread()) return end(*this);
  strand_.Post([self = shared_from_this(), end] { end(*self); });
}

ConnectionState Client::Impl::state() const {
  const std::lock_guard lock(state_mutex_);
  return *state_;
}

ClientStatistics Client::Impl::statistics() const {
  const std::lock_guard lock(state_mutex_);
  return statistics_;
}

void Client::Impl::Settle(std::uint64_t serial, Answer answer, ReasonCode code) {
  Run([serial, answer, code](ClientCore& core, TimePoint) { core.Settle(serial, answer, code); });
}

std::unique_ptr<StateWatch> Client::Impl::Watch(absl::AnyInvocable<void(const ConnectionState&)> call) {
  auto watcher = std::make_shared<Watcher>(std::move(call));
  auto handle = std::make_unique<WatchHandle>(weak_from_this(), watcher);
  Run([this, watcher = std::move(watcher)](ClientCore&, TimePoint) mutable {
    watchers_.push_back(std::move(watcher));
    new_watchers_ = true;
  });
  return handle;
}

// --- Turns --------------------------------------------------------------------

void Client::Impl::ScheduleTurn() {
  ++commands_;
  if (turn_scheduled_ || turning_) return;
  turn_scheduled_ = true;
  turn_due_ = Now() + kLongestTurnWait;
  PostTurn(0);
}

void Client::Impl::PostTurn(int handlers_waited) {
  strand_.Post([self = shared_from_this(), handlers_waited, commands = commands_] {
    const bool more_came = self->commands_ != commands;
    if (more_came && handlers_waited < kMostHandlersWaited && self->Now() < self->turn_due_) {
      return self->PostTurn(handlers_waited + 1);
    }
    self->turn_scheduled_ = false;
    self->Turn(self->Now());
  });
}

// One reading of the clock for all that has come together, and for what that causes.
void Client::Impl::Turn(TimePoint now) {
  turning_ = true;
  turn_time_ = now;
  int messages = 0;
  do {
    TellNewWatchers();
    while (std::optional<Event> event = core_.Next(now)) {
      const bool is_message = std::holds_alternative<Delivery>(*event);
      Handle(*std::move(event));
      TellNewWatchers();
      if (!is_message || ++messages != kMessagesOfFirstWrite) continue;
      core_.PrepareOutput();
      Flush(now);
    }
  } while (UpdateStream(now));
  turning_ = false;
  Flush(now);
  ArmTimer();
  const std::lock_guard lock(state_mutex_);
  statistics_ = core_.statistics();
}

void Client::Impl::Handle(Event event) {
  if (auto* finished = std::get_if<CodeFinished>(&event)) {
    finished->done(std::move(finished->result));
  } else if (auto* status_finished = std::get_if<StatusFinished>(&event)) {
    status_finished->done(std::move(status_finished->result));
  } else if (const auto* delivery = std::get_if<Delivery>(&event)) {
    Deliver(*delivery);
  } else if (auto* changed = std::get_if<StateChanged>(&event)) {
    TellWatchers(std::move(changed->state));
  } else if (const auto* lost = std::get_if<SubscriptionLost>(&event)) {
    if (!ended_) options_.subscription_lost(lost->topic_filter, lost->why);
  }
}

void Client::Impl::Deliver(const Delivery& delivery) {
  for (const std::shared_ptr<mqtt::Handler>& handler : core_.receivers()) {
    if (ended_) break;
    if (handler->acknowledging) {
      handler->acknowledging(delivery.message, Acknowledgement(weak_from_this(), core_.session(), core_.serial()));
    } else {
      handler->plain(delivery.message);
    }
  }
  core_.Delivered();
}

void Client::Impl::TellWatchers(std::shared_ptr<const ConnectionState> state) {
  LogState(*state);
  {
    const std::lock_guard lock(state_mutex_);
    state_ = state;
  }
  const std::vector<std::shared_ptr<Watcher>> watchers = watchers_;  // They may change meanwhile.
  for (const std::shared_ptr<Watcher>& watcher : watchers) {
    watcher->told = true;
    if (watcher->active && !ended_) watcher->call(*state);
  }
}

void Client::Impl::TellNewWatchers() {
  while (std::exchange(new_watchers_, false)) {
    const std::vector<std::shared_ptr<Watcher>> watchers = watchers_;
    const std::shared_ptr<const ConnectionState> state = state_;
    for (const std::shared_ptr<Watcher>& watcher : watchers) {
      if (std::exchange(watcher->told, true) || !watcher->active || ended_) continue;
      watcher->call(*state);
    }
  }
}

void Client::Impl::LogState(const ConnectionState& state) {
  LogSink& log = *options_.environment.log;
  switch (state.kind) {
    case ConnectionState::Kind::kConnected:
      return Log(log, LogLevel::kInfo, [&] {
        return absl::StrCat("event=connected broker=", Quoted(state.broker), " client_id=", Quoted(state.client_id),
                            " session_present=", state.session_present ? 1 : 0);
      });
    case ConnectionState::Kind::kWaiting:
      return Log(log, LogLevel::kWarning, [&] {
        const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(state.next_try - Now());
        return absl::StrCat("event=connection_lost broker=", Quoted(state.broker),
                            " client_id=", Quoted(state.client_id), " why=", Quoted(ToStd(state.why.message())),
                            " next_try_ms=", wait.count());
      });
    case ConnectionState::Kind::kStopped:
      if (state.why.ok()) return;
      return Log(log, LogLevel::kError, [&] {
        return absl::StrCat("event=gave_up broker=", Quoted(state.broker), " client_id=", Quoted(state.client_id),
                            " why=", Quoted(ToStd(state.why.message())));
      });
    case ConnectionState::Kind::kConnecting: return;
  }
}

// --- The stream ---------------------------------------------------------------

bool Client::Impl::UpdateStream(TimePoint now) {
  const ClientCore::StreamWish wish = core_.stream();
  if (wish.wish == ClientCore::Wish::kNone || wish.number != stream_number_) CloseStream();
  if (wish.wish == ClientCore::Wish::kOpen && attempt_ == nullptr) {
    Dial(wish.number);
  } else if (wish.wish == ClientCore::Wish::kFinish && !write_in_progress_ && !core_.has_output()) {
    CloseStream();
    core_.Finished(now);
    return true;
  }
  return false;
}

// An attempt that has ended is kept: it marks that this stream was dialled.
void Client::Impl::Dial(std::uint64_t number) {
  stream_number_ = number;
  const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(core_.broker());  // The core has checked it.
  if (!endpoint.ok()) return;
  attempt_ = options_.connector->Connect(*endpoint, strand_.executor(),
                                         [this](absl::StatusOr<std::unique_ptr<Transport>> opened) {
                                           const auto self = shared_from_this();
                                           const TimePoint now = Now();
                                           if (opened.ok()) {
                                             transport_ = *std::move(opened);
                                             core_.Opened(now);
                                             transport_->Start(*this);
                                           } else {
                                             core_.Closed(opened.status(), now);
                                           }
                                           Turn(now);
                                         });
}

void Client::Impl::CloseStream() {
  if (transport_ != nullptr) transport_->Close();
  transport_ = nullptr;
  attempt_ = nullptr;
  writing_.clear();
  write_in_progress_ = false;
}

void Client::Impl::Flush(TimePoint now) {
  if (transport_ == nullptr || write_in_progress_ || !core_.has_output()) return;
  core_.TakeOutput(writing_, now);
  const std::span<const std::byte> piece = AsBytes(writing_);
  write_in_progress_ = !transport_->Write(std::span(&piece, 1));
  if (write_in_progress_) return;
  Written();
  // In a turn of its own: whoever publishes when the last message is out, for ever, must
  // not keep the event loop.
  if (core_.goes_on()) ScheduleTurn();
}

void Client::Impl::Written() {
  writing_.clear();
  write_in_progress_ = false;
  core_.Written();
}

void Client::Impl::ArmTimer() {
  const TimePoint wake = ended_ ? kNever : core_.wake_at();
  if (wake == kNever && armed_ != kNever) timer_->Disarm();
  // A deadline that moved on costs nothing: the alarm comes early and is set anew.
  if (wake != kNever && wake >= armed_) return;
  armed_ = wake;
  if (wake == kNever) return;
  timer_->Arm(wake, [this] {
    const auto self = shared_from_this();
    armed_ = kNever;
    const TimePoint now = Now();
    core_.Tick(now);
    Turn(now);
  });
}

void Client::Impl::OnBytes(std::span<const std::byte> bytes) {
  const auto self = shared_from_this();
  const TimePoint now = Now();
  core_.Received(bytes, now);
  Turn(now);
}

void Client::Impl::OnWritten() {
  const auto self = shared_from_this();
  Written();
  Turn(Now());
}

void Client::Impl::OnClosed(absl::Status why) {
  const auto self = shared_from_this();
  transport_ = nullptr;
  write_in_progress_ = false;
  writing_.clear();
  const TimePoint now = Now();
  core_.Closed(std::move(why), now);
  Turn(now);
}

}  // namespace mqttrpc::mqtt
