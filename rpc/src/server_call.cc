#include "server_call.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/dispatch.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>

#include "mqttrpc/mqtt/status.h"
#include "payload.h"
#include "server_frames.h"

namespace mqttrpc {
namespace {

// All texts a call needs, in one allocation.
std::string JoinNames(const RequestIn& request, std::string_view instance) {
  std::string names;
  const std::string_view correlation_data = request.correlation_data.value_or("");
  names.reserve(request.service.size() + request.caller.size() + request.inbox.size() + correlation_data.size() +
                instance.size());
  names.append(request.service).append(request.caller).append(request.inbox).append(correlation_data);
  return std::move(names.append(instance));
}

asio::awaitable<void> Root(asio::awaitable<void> body) {
  co_await asio::this_coro::throw_if_cancelled(false);  // Cancellation comes as what is awaited says it.
  co_await std::move(body);
}

}  // namespace

Answer AnswerFor(const absl::Status& status, ContentType content_type) {
  Answer answer;
  answer.status = ToWire(status);
  answer.payload = ErrorPayload(status, content_type, answer.details_lost);
  return answer;
}

ServerCall::State::State(std::shared_ptr<const HandlerPlace> place, const RequestIn& request, Metadata metadata,
                         std::string_view payload, const MethodInfo& method, std::string_view instance,
                         mqtt::TimePoint deadline)
    : place_(std::move(place)),
      method_(method),
      names_(JoinNames(request, instance)),
      has_correlation_data_(request.correlation_data.has_value()),
      content_type_(request.content_type),
      attempt_(request.attempt),
      call_deadline_(deadline),
      metadata_(std::move(metadata)),
      payload_(payload) {
  std::string_view rest = names_;
  const auto take = [&rest](std::size_t size) {
    const std::string_view name = rest.substr(0, size);
    rest.remove_prefix(size);
    return name;
  };
  service_ = take(request.service.size());
  caller_ = take(request.caller.size());
  inbox_ = take(request.inbox.size());
  correlation_data_ = take(request.correlation_data.value_or("").size());
  instance_ = rest;
  if (place_->hop) OwnPayload();
}

ServerCall::State::~State() {
  chain_.reset();  // Its interceptors use the rest.
  // Elsewhere than at home only the server may tell, under its lock; one that is
  // gone has forgotten us before.
  if (!place_->hop && !linked()) return;
  if (const auto sink = place_->sink.lock()) sink->HandlerLost(*this);
}

void ServerCall::State::SetPayload(std::string payload) {
  owned_payload_ = std::move(payload);
  payload_ = owned_payload_;
}

void ServerCall::State::OwnPayload() {
  if (payload_.empty() || payload_.data() == owned_payload_.data()) return;
  owned_payload_ = std::string(payload_);
  payload_ = owned_payload_;
}

ResponseOut ServerCall::State::ResponseHead(std::chrono::milliseconds remaining) const {
  ResponseOut head;
  head.caller = caller_;
  head.inbox = inbox_;
  if (has_correlation_data_) head.correlation_data = correlation_data_;
  head.instance = instance_;
  head.qos = method_.kind == MethodKind::kUnary ? method_.qos : mqtt::QoS::kAtLeastOnce;
  head.content_type = content_type_;
  head.remaining = remaining;
  return head;
}

void ServerCall::State::OnCancel(absl::AnyInvocable<void()> then) {
  {
    const std::lock_guard lock(mutex_);
    if (!cancelled()) {
      on_cancel_ = std::move(then);
      return;
    }
  }
  then();
}

// A coroutine hears of it on its executor. A plain function that still runs does
// so on another thread than this one, and must hear at once.
void ServerCall::State::Cancel(const absl::Status& why) {
  absl::AnyInvocable<void()> then;
  const std::lock_guard lock(mutex_);
  if (finished_ || cancelled()) return;
  cancelled_by_ = why;
  cancelled_.store(true, std::memory_order_release);
  if (spawned_) {
    asio::dispatch(place_->executor, [self = shared_from_this()] { self->CancelOnExecutor(); });
  } else if (on_cancel_) {
    then = std::exchange(on_cancel_, nullptr);
    then();
  }
}

void ServerCall::State::CancelOnExecutor() {
  absl::AnyInvocable<void()> then;
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    then = std::exchange(on_cancel_, nullptr);
  }
  if (then) then();
  signal_.emit(asio::cancellation_type::terminal);
}

bool ServerCall::State::Intercept(std::shared_ptr<const ServerInterceptors> interceptors) {
  ServerCallInfo call(*this, method_, metadata_);
  chain_ = ServerChain::Begin(std::move(interceptors), call);
  if (!call.decided()) return true;
  absl::Status refusal = call.refusal();
  SetOutcome(refusal, Outcome::kNotExecuted);
  Finish(refusal, call.TakeAnswer().get());
  return false;
}

bool ServerCall::State::ReadRequest(google::protobuf::Message& request) {
  absl::Status status = ReadPayload(std::exchange(payload_, {}), content_type_, request);
  if (status.ok() && chain_ != nullptr) status = chain_->Received(request);
  if (status.ok()) return true;
  SetOutcome(status, Outcome::kNotExecuted);
  Finish(status, nullptr);
  return false;
}

absl::Status ServerCall::State::WriteReply(const google::protobuf::Message& reply, std::string& payload) {
  absl::Status status;
  if (chain_ == nullptr) {
    status = WritePayload(reply, content_type_, payload);
  } else {
    OutgoingMessage message(reply);
    status = chain_->Sends(message);
    if (!status.ok()) return status;
    status = WritePayload(message.get(), content_type_, payload);
  }
  return status.ok() ? status : absl::InternalError(status.message());
}

void ServerCall::State::Finish(const absl::Status& status, const google::protobuf::Message* reply) {
  absl::AnyInvocable<void()> dropped;
  absl::Status cancelled_by;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
    dropped = std::exchange(on_cancel_, nullptr);
    cancelled_by = cancelled_by_;
  }
  if (!cancelled_by.ok() && chain_ != nullptr) chain_->End(cancelled_by);
  absl::Status outcome = status;
  Answer answer;
  if (outcome.ok() && !method_.streams_replies()) {
    outcome = reply == nullptr ? absl::InternalError("handler gave no reply") : WriteReply(*reply, answer.payload);
  }
  if (chain_ != nullptr) {
    if (!outcome.ok()) answer.payload.clear();  // If one of them makes it OK, the reply is empty.
    chain_->End(outcome);
  }
  if (absl::Status metadata = reply_metadata_.Check(); metadata.ok()) {
    answer.metadata = std::move(reply_metadata_);
  } else if (outcome.ok()) {
    outcome = absl::InternalError(absl::StrCat("reply ", metadata.message()));
  }
  if (!outcome.ok()) {
    Metadata metadata = std::move(answer.metadata);
    answer = AnswerFor(outcome, content_type_);
    answer.metadata = std::move(metadata);
  }
  Deliver(std::move(answer));
}

void ServerCall::State::Deliver(Answer answer) {
  if (!place_->hop) {
    if (const auto sink = place_->sink.lock()) sink->HandlerEnded(*this, std::move(answer));
    return;
  }
  asio::post(place_->home, [self = shared_from_this(), answer = std::move(answer)]() mutable {
    if (const auto sink = self->place_->sink.lock()) sink->HandlerEnded(*self, std::move(answer));
  });
}

void ServerCall::State::FinishWithException(std::exception_ptr exception) {
  std::string text = "handler threw something that is no std::exception";
  try {
    if (exception) std::rethrow_exception(exception);
  } catch (const std::exception& thrown) {
    text = thrown.what();
  } catch (...) {  // NOLINT(bugprone-empty-catch): `text` says it.
  }
  Finish(absl::UnknownError(text), nullptr);
}

void ServerCall::State::FinishUnanswered() {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;  // As nearly always: no status is made for nothing.
  }
  Finish(absl::InternalError("handler gave no answer"), nullptr);
}

void ServerCall::State::Spawn(asio::awaitable<void> body) {
  {
    const std::lock_guard lock(mutex_);
    spawned_ = true;
  }
  const auto self = shared_from_this();
  asio::co_spawn(place_->executor, Root(std::move(body)),
                 asio::bind_cancellation_slot(signal_.slot(), [self](std::exception_ptr exception) {
                   if (exception) self->FinishWithException(exception);
                 }));
  if (cancelled()) CancelOnExecutor();  // It came between the request's arrival and here.
}

ServerCall::ServerCall(std::shared_ptr<State> state) : state_(std::move(state)) {}
ServerCall::~ServerCall() {
  if (state_) state_->FinishUnanswered();
}
ServerCall::ServerCall(ServerCall&&) noexcept = default;
ServerCall& ServerCall::operator=(ServerCall&& other) noexcept {
  if (this == &other) return *this;
  if (state_) state_->FinishUnanswered();
  state_ = std::move(other.state_);
  return *this;
}

// --- A handler's reader and writer: from any thread to the client's executor

class ServerCall::State::HandlerStream final : public MessageStream {
 public:
  explicit HandlerStream(std::shared_ptr<State> call) : call_(std::move(call)) {}

  void Read(google::protobuf::Message& message, mqtt::Completion<bool> done) override {
    const std::uint64_t number = ++call_->reads;
    if (asio::cancellation_slot slot = done.slot(); slot.is_connected()) {
      slot.assign([call = call_, number](asio::cancellation_type) {
        asio::post(call->place_->home, [call, number] {
          if (const auto sink = call->place_->sink.lock()) sink->CancelRead(*call, number);
        });
      });
    }
    if (call_->chain_ != nullptr) done = ReadThroughChain(message, std::move(done));
    Do([into = &message, number](AnswerSink& sink, State& call,
                                 mqtt::Completion<bool> ended) { sink.Read(call, *into, std::move(ended), number); },
       std::move(done));
  }

  WrittenMessage Prepare(const google::protobuf::Message& message) override {
    WrittenMessage written;
    written.status = call_->WriteReply(message, written.payload);
    if (!written.status.ok() && call_->chain_ != nullptr) call_->chain_->Fail(written.status);
    if (!std::exchange(call_->wrote_, true)) {
      written.metadata = std::exchange(call_->reply_metadata_, {});
      const absl::Status metadata = written.metadata.Check();
      if (written.status.ok() && !metadata.ok()) written.status = absl::InternalError(metadata.message());
    }
    return written;
  }

  void Write(WrittenMessage message, mqtt::Completion<bool> done) override {
    if (asio::cancellation_slot slot = done.slot(); slot.is_connected()) {
      slot.assign([call = call_](asio::cancellation_type) {
        asio::post(call->place_->home, [call] {
          const auto sink = call->place_->sink.lock();
          if (sink != nullptr) sink->GiveUp(*call, absl::CancelledError("a write was cancelled"));
        });
      });
    }
    Do(
        [message = std::move(message)](AnswerSink& sink, State& call, mqtt::Completion<bool> ended) mutable {
          sink.Write(call, std::move(message), std::move(ended));
        },
        std::move(done));
  }

  void WritesDone() override {}
  void Finish(mqtt::Completion<absl::Status> done) override {
    asio::post(call_->place_->executor, [done = std::move(done)]() mutable {
      done(absl::FailedPreconditionError("a handler ends its call by returning"));
    });
  }
  void Cancel() override {}
  std::uint64_t lost() const override { return call_->lost.load(std::memory_order_relaxed); }

 private:
  // With the interceptors between the call and `done`. Posted: a message comes under the server's lock.
  mqtt::Completion<bool> ReadThroughChain(google::protobuf::Message& message, mqtt::Completion<bool> done) const {
    const asio::cancellation_slot slot = done.slot();
    return mqtt::Completion<bool>(
        [call = call_, &message, done = std::move(done)](bool read) mutable {
          if (!read) return done(false);
          asio::post(call->place_->home, [call, &message, done = std::move(done)]() mutable {
            const absl::Status status = call->chain_->Received(message);
            if (!status.ok()) {
              call->chain_->Fail(status);
              if (const auto sink = call->place_->sink.lock()) sink->GiveUp(*call, status);
            }
            done(status.ok());
          });
        },
        slot);
  }

  // With nobody there, nothing is read or written.
  template <typename Act>
  void Do(Act act, mqtt::Completion<bool> done) {
    call_->place_->home.execute([call = call_, act = std::move(act), done = std::move(done)]() mutable {
      if (const auto sink = call->place_->sink.lock()) return act(*sink, *call, std::move(done));
      asio::post(call->place_->home, [done = std::move(done)]() mutable { done(false); });
    });
  }

  const std::shared_ptr<State> call_;
};

std::shared_ptr<MessageStream> ServerCall::State::Stream() {
  return std::make_shared<HandlerStream>(shared_from_this());
}

std::shared_ptr<MessageStream> ServerCall::stream() const { return state_->Stream(); }
ServerContext& ServerCall::context() const { return *state_; }
bool ServerCall::ReadRequest(google::protobuf::Message& request) { return state_->ReadRequest(request); }
void ServerCall::Finish(const absl::Status& status, const google::protobuf::Message* reply) {
  if (state_) state_->Finish(status, reply);
}
void ServerCall::FinishWithException(std::exception_ptr exception) {
  if (state_) state_->FinishWithException(std::move(exception));
}
void ServerCall::Spawn(asio::awaitable<void> body) { state_->Spawn(std::move(body)); }

}  // namespace mqttrpc
