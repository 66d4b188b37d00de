#include "dispatcher.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "names.h"
#include "packet_size.h"
#include "text.h"
#include "time_left.h"

namespace mqttrpc {

using mqtt::LogLevel;
using mqtt::ToAbsl;
using mqtt::ToStd;
using std::chrono::milliseconds;

namespace {

// How long the end of a call with frames is told again to a caller who asks.
constexpr std::chrono::minutes kFramesRemembered{2};

}  // namespace

Dispatcher::Dispatcher(const ServerOptions& options, const CallCodec& codec, DispatcherShell& shell, mqtt::LogSink& log)
    : options_(options), codec_(codec), shell_(shell), log_(log), cache_(options.reply_cache_bytes) {}

Dispatcher::~Dispatcher() { ForgetAll(); }

void Dispatcher::Add(Service& service) { services_[std::string(service.info().name)] = &service; }

void Dispatcher::Arrived(const mqtt::MessageView& message, mqtt::TimePoint now) {
  cache_.TimeIs(now);
  if (codec_.IsLater(message)) return LaterArrived(message, now);
  absl::StatusOr<RequestIn> decoded = codec_.DecodeRequest(message);
  if (!decoded.ok()) {
    return Log(LogLevel::kWarning, "request_dropped", message.topic_name, ToStd(decoded.status().message()));
  }
  RequestIn& request = *decoded;
  if (request.target != instance_ && request.target != kPoolTarget) {
    return Log(LogLevel::kWarning, "request_dropped", message.topic_name, "not our target");
  }
  if (request.cancel) return CancelledByCaller(request, now);
  const Found found = Find(request);
  if (request.correlation_data.has_value() && !request.correlation_data->empty()) {
    if (const auto* entry = cache_.Find(request.caller, *request.correlation_data)) {
      if (!MayRunAgain(*entry, request, found)) return Duplicate(*entry, now);
      cache_.Forget(*entry);
    }
  }

  milliseconds time = options_.default_timeout;
  mqtt::QoS qos = mqtt::QoS::kAtLeastOnce;
  if (found.status.ok()) {
    const MethodInfo& method = found.service->info().methods[found.method];
    if (method.timeout.count() > 0) time = method.timeout;
    if (method.kind == MethodKind::kUnary) {
      qos = method.qos;
    } else if (method.timeout.count() == 0 && request.idle.has_value()) {
      time = milliseconds(0);  // No deadline: pings tell whether the caller is still there.
    }
    if (request.refusal.ok()) request.refusal = CheckFrames(request, method);
  }
  const bool endless = !request.remaining.has_value() && time.count() == 0;
  if (request.remaining.has_value()) time = *request.remaining;
  if (!endless && time.count() <= 0) {
    return Log(LogLevel::kDebug, "request_expired", message.topic_name, "its deadline passed on the way");
  }
  if (endless) time = kMaximumTimeout;

  absl::Status refusal = request.refusal;
  if (refusal.ok() && draining_) {
    refusal = absl::UnavailableError(absl::StrCat("server ", instance_, " is stopping"));
  }
  if (refusal.ok()) refusal = found.status;
  // What is answered but not sent counts: a handler must not run for an answer
  // that has no way out.
  if (refusal.ok() && under_way() >= options_.maximum_calls) {
    refusal = absl::ResourceExhaustedError(
        absl::StrCat("server ", instance_, " has ", under_way(), " calls under way, its maximum"));
    SetRetryAfter(refusal, options_.push_back);
  }
  const bool would_wait = refusal.ok() && request.frame.has_value() &&
                          (request.fragment.more || found.service->info().methods[found.method].streams_requests());
  if (would_wait && waiting_bytes_ + message.payload.size() > options_.maximum_waiting_bytes) {
    refusal = TooMuchWaits();
    SetRetryAfter(refusal, options_.push_back);
  }
  if (!refusal.ok()) return Refuse(request, std::move(refusal), qos, time);
  Admit(std::move(request), message.payload, found, endless ? mqtt::kNever : now + time, now);
}

Dispatcher::Found Dispatcher::Find(const RequestIn& request) const {
  Found found;
  const auto service = services_.find(request.service);
  if (service == services_.end()) {
    found.status = absl::UnimplementedError(absl::StrCat("no service ", Quoted(request.service), " at ", instance_));
    return found;
  }
  const auto methods = service->second->info().methods;
  const auto method = std::find_if(methods.begin(), methods.end(),
                                   [&request](const MethodInfo& each) { return each.name == request.method; });
  if (method == methods.end()) {
    found.status = absl::UnimplementedError(
        absl::StrCat("service ", service->first, " at ", instance_, " has no method ", Quoted(request.method)));
    return found;
  }
  found.service = service->second;
  found.method = static_cast<std::size_t>(method - methods.begin());
  return found;
}

// A further attempt at what has failed, where that does no harm.
bool Dispatcher::MayRunAgain(const ReplyCache::Entry& entry, const RequestIn& request, const Found& found) {
  if (!entry.finished || request.attempt <= entry.attempt || !found.status.ok()) return false;
  const bool bears_it = found.service->info().methods[found.method].idempotency != Idempotency::kUnknown;
  return entry.failure == ReplyCache::Entry::Failure::kNotExecuted ||
         (entry.failure == ReplyCache::Entry::Failure::kFailed && bears_it);
}

// In progress: nothing is said, since a plain caller would take anything for the answer.
void Dispatcher::Duplicate(const ReplyCache::Entry& entry, mqtt::TimePoint now) {
  const auto running = entry.running == nullptr ? nullptr : entry.running->weak_from_this().lock();
  const bool lingers = running != nullptr && running->frames != nullptr && running->frames->lingers();
  if (running != nullptr && running->frames != nullptr && (!running->answered || lingers)) {
    running->frames->OweAccept();
    if (lingers) running->frames->sending().Rewind();
    return Settle(*running, now);
  }
  if (!entry.answer.has_value() || now >= entry.answer_until) return;
  mqtt::Message again = entry.answer->ToMessage();
  codec_.SetRemaining(again, TimeLeft(entry.answer_until, now));
  shell_.SendAnswer(std::move(again));
}

void Dispatcher::CancelledByCaller(const RequestIn& request, mqtt::TimePoint now) {
  const ReplyCache::Entry* entry = cache_.Find(request.caller, *request.correlation_data);
  if (entry == nullptr || entry->running == nullptr) return;  // Over already, or never here.
  const auto call = entry->running->weak_from_this().lock();
  if (call == nullptr) return;  // It is just going, with the executor of its handler.
  CancelledByCaller(*call, now);
}

void Dispatcher::CancelledByCaller(ServerCall::State& call, mqtt::TimePoint now) {
  if (!call.answered) {
    absl::Status status = absl::CancelledError("cancelled by the caller");
    SetOutcome(status, Outcome::kPerhaps);
    GiveAnswer(call, AnswerFor(status, call.content_type()), now);
    call.Cancel(status);
  }
  Release(call);
}

void Dispatcher::Admit(RequestIn request, std::string_view payload, const Found& found, mqtt::TimePoint deadline,
                       mqtt::TimePoint now) {
  const std::string_view caller = request.caller;
  const std::string_view correlation_data = request.correlation_data.value_or("");
  const MethodInfo& method = found.service->info().methods[found.method];
  const auto call = std::make_shared<ServerCall::State>(shell_.PlaceForHandler(), std::move(request), payload, method,
                                                        instance_, deadline);
  call->handler = found.service;
  call->method_index = found.method;
  call->caller_packet = request.maximum_packet;
  if (!correlation_data.empty()) call->entry = &cache_.Begin(caller, correlation_data, deadline, call.get());
  deadlines_.Schedule(*call, deadline);
  const bool can_answer = !call->one_way() && !correlation_data.empty();
  if (request.frame.has_value() || (request.accept.has_value() && can_answer) || method.kind != MethodKind::kUnary) {
    BeginFrames(call, request, now);
  } else {
    Run(call);
  }
}

void Dispatcher::Run(const std::shared_ptr<ServerCall::State>& call) {
  running_.PushBack(*call);
  ++running_count_;
  shell_.RunHandler(*call->handler, call->method_index, call);
}

void Dispatcher::Refuse(const RequestIn& request, absl::Status why, mqtt::QoS qos, milliseconds remaining) {
  SetOutcome(why, Outcome::kNotExecuted);
  if (request.inbox.empty()) {
    return Log(LogLevel::kDebug, "one_way_refused", request.service, ToStd(why.message()));
  }
  const Answer answer = AnswerFor(why, request.content_type);
  ResponseOut head;
  head.caller = request.caller;
  head.inbox = request.inbox;
  head.correlation_data = request.correlation_data;
  head.instance = instance_;
  head.qos = qos;
  head.content_type = request.content_type;
  head.remaining = remaining;
  head.status = &answer.status;
  shell_.SendAnswer(codec_.EncodeResponse(head, answer.payload));
}

void Dispatcher::HandlerEnded(ServerCall::State& call, Answer answer, mqtt::TimePoint now) {
  Forget(call);
  if (call.answered) return EndFrames(call);
  if (!EndInFrames(call, answer, now)) GiveAnswer(call, std::move(answer), now);
}

void Dispatcher::HandlerLost(ServerCall::State& call) {
  if (call.frames != nullptr) EndFrames(call);
  if (!call.linked()) return;
  Forget(call);
  if (call.entry != nullptr) cache_.FinishUnanswered(*std::exchange(call.entry, nullptr));
}

void Dispatcher::ForgetAll() {
  for (const auto& call : CallsWithFrames()) EndFrames(*call);
  held_.clear();
  while (ServerCall::State* call = running_.front()) Forget(*call);
}

void Dispatcher::Forget(ServerCall::State& call) {
  if (!call.linked()) return;
  LinkedList<ServerCall::State>::Remove(call);
  --running_count_;
  deadlines_.Cancel(call);
}

// The call's one answer: sent if somebody still waits for it, and kept for duplicates.
void Dispatcher::GiveAnswer(ServerCall::State& call, Answer answer, mqtt::TimePoint now) {
  call.answered = true;
  EndFrames(call);
  ReplyCache::Entry* entry = std::exchange(call.entry, nullptr);
  // A stream may have no deadline; who has not heard of its end asks soon.
  if (entry != nullptr && call.frames != nullptr) {
    entry->answer_until = std::min(entry->answer_until, now + kFramesRemembered);
  }
  if (entry != nullptr && answer.status.code != 0) {
    using Failure = ReplyCache::Entry::Failure;
    entry->attempt = call.attempt();
    entry->failure = answer.status.outcome == Outcome::kNotExecuted ? Failure::kNotExecuted : Failure::kFailed;
  }
  if (answer.details_lost) {
    Log(LogLevel::kWarning, "details_lost", call.method(), "JSON cannot say a detail whose type is not linked in");
  }
  if (call.one_way() || call.deadline() <= now) {
    if (entry != nullptr) cache_.FinishUnanswered(*entry);
    return;
  }
  ResponseOut head = call.ResponseHead(TimeLeft(call.deadline(), now));
  head.status = &answer.status;
  head.metadata = &answer.metadata;
  mqtt::Message message = codec_.EncodeResponse(head, std::move(answer.payload));
  const std::size_t limit = MaximumPacketTo(call);
  if (const std::size_t size = PacketSize(message); size > limit) {
    const Answer instead = AnswerFor(absl::ResourceExhaustedError(absl::StrCat(
                                         "answer is ", size, " bytes; ", limit, " go in one packet, and the caller ",
                                         call.caller_packet.has_value() ? "has no more time" : "takes no fragments")),
                                     call.content_type());
    head.status = &instead.status;
    head.metadata = nullptr;
    message = codec_.EncodeResponse(head, instead.payload);
  }
  if (entry != nullptr) cache_.Finish(*entry, message);
  shell_.SendAnswer(std::move(message));
}

void Dispatcher::CancelAll(const absl::Status& why, mqtt::TimePoint now) {
  std::vector<std::shared_ptr<ServerCall::State>> calls;
  running_.ForEach([&calls](ServerCall::State& call) {
    if (auto held = call.weak_from_this().lock()) calls.push_back(std::move(held));
  });
  for (const auto& [state, call] : held_) calls.push_back(call);
  for (const auto& call : calls) {
    if (!call->answered && !why.ok()) GiveAnswer(*call, AnswerFor(why, call->content_type()), now);
    call->answered = true;
    if (call->entry != nullptr) cache_.FinishUnanswered(*std::exchange(call->entry, nullptr));
    call->Cancel(why.ok() ? absl::CancelledError("server is gone") : why);
    Release(*call);
  }
}

// After its deadline a call is not answered: the caller has given up by its own clock.
void Dispatcher::TimeIs(mqtt::TimePoint now) {
  cache_.TimeIs(now);
  while (mqtt::DeadlineQueue::Entry* due = deadlines_.PopDue(now)) {
    const auto call = static_cast<ServerCall::State&>(*due).weak_from_this().lock();
    if (call == nullptr) continue;
    call->answered = true;
    if (call->entry != nullptr) cache_.FinishUnanswered(*std::exchange(call->entry, nullptr));
    call->Cancel(absl::DeadlineExceededError("the deadline passed before the handler ended"));
    EndFrames(*call);  // Wakes a plain handler that waits in a read or write.
    Release(*call);
  }
  FlowsAreDue(now);
}

void Dispatcher::Log(LogLevel level, std::string_view event, std::string_view topic_name, std::string_view why) const {
  if (!log_.Wants(level)) return;
  log_.Write(level, absl::StrCat("event=", ToAbsl(event), " instance=", instance_, " topic=", Quoted(topic_name),
                                 " why=", Quoted(why)));
}

}  // namespace mqttrpc
