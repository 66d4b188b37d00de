#include "dispatcher.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "names.h"
#include "text.h"
#include "time_left.h"

namespace mqttrpc {

using mqtt::LogLevel;
using mqtt::ToAbsl;
using mqtt::ToStd;
using std::chrono::milliseconds;

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
  ReplyCache::Entry* before = nullptr;  // An attempt that failed.
  if (request.correlation_data.has_value() && !request.correlation_data->empty()) {
    before = cache_.Find(request.caller, *request.correlation_data);
    if (before != nullptr && !MayRunAgain(*before, request, found)) return Duplicate(*before, now);
  }

  if (found.status.ok() && request.refusal.ok()) request.refusal = CheckFrames(request, MethodOf(found));
  const std::optional<milliseconds> time = TimeFor(request, found);
  if (time.has_value() && time->count() <= 0) {
    return Log(LogLevel::kDebug, "request_expired", message.topic_name, "its deadline passed on the way");
  }
  absl::Status refusal = WhyNot(request, found, message.payload.size());
  if (!refusal.ok()) {
    const bool unary = found.status.ok() && MethodOf(found).kind == MethodKind::kUnary;
    const mqtt::QoS qos = unary ? MethodOf(found).qos : mqtt::QoS::kAtLeastOnce;
    return Refuse(request, std::move(refusal), qos, time.value_or(kMaximumTimeout));
  }
  if (before != nullptr) cache_.Forget(*before);
  Admit(std::move(request), message.payload, found, time.has_value() ? now + *time : mqtt::kNever, now);
}

// What the request says, else its method, else we. Empty: it has no deadline.
std::optional<milliseconds> Dispatcher::TimeFor(const RequestIn& request, const Found& found) const {
  if (request.remaining.has_value()) return request.remaining;
  milliseconds time = options_.default_timeout;
  if (found.status.ok()) {
    const MethodInfo& method = MethodOf(found);
    const bool streams = method.kind != MethodKind::kUnary;
    if (method.timeout.count() > 0) {
      time = method.timeout;
    } else if (streams && request.idle.has_value()) {
      return std::nullopt;  // Pings tell whether the caller is still there.
    }
  }
  if (time.count() == 0) return std::nullopt;
  return time;
}

// Why it is not run, if so.
absl::Status Dispatcher::WhyNot(const RequestIn& request, const Found& found, std::size_t payload_bytes) const {
  if (!request.refusal.ok()) return request.refusal;
  if (draining_) return absl::UnavailableError(absl::StrCat("server ", instance_, " is stopping"));
  if (!found.status.ok()) return found.status;
  absl::Status full;
  // What is answered but not sent counts: a handler must not run for an answer
  // that has no way out.
  const bool would_wait = request.frame.has_value() && (request.fragment.more || MethodOf(found).streams_requests());
  if (under_way() >= options_.maximum_calls) {
    full = absl::ResourceExhaustedError(
        absl::StrCat("server ", instance_, " has ", under_way(), " calls under way, its maximum"));
  } else if (would_wait && waiting_bytes_ + payload_bytes > options_.maximum_waiting_bytes) {
    full = TooMuchWaits();
  }
  SetRetryAfter(full, options_.push_back);  // Nothing for OK.
  return full;
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
  const bool bears_it = MethodOf(found).idempotency != Idempotency::kUnknown;
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
  const MethodInfo& method = MethodOf(found);
  const auto call = std::make_shared<ServerCall::State>(shell_.PlaceForHandler(), request, std::move(request.metadata),
                                                        payload, method, instance_, deadline);
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
