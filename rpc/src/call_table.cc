#include "call_table.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "status_wire.h"

namespace mqttrpc {
namespace {

// What is handed to the client at a time, well below the default limits of its
// queue: the rest waits here, where its times are still those of its sending.
constexpr std::size_t kMaximumUnacknowledged = 4'096;
constexpr std::size_t kMaximumUnacknowledgedBytes = 8 * 1024 * 1024;

}  // namespace

using mqtt::ReasonCode;
using mqtt::ToAbsl;

std::string PendingCall::Name() const {
  return absl::StrCat(ToAbsl(service->name), "/", ToAbsl(method->name), " at ", target);
}

CallTable::CallTable(CallShell& shell, std::string broker, std::size_t maximum_calls, const RetryThrottle& throttle)
    : shell_(shell), broker_(std::move(broker)), maximum_calls_(maximum_calls), tokens_(throttle) {}

void CallTable::Begin(std::shared_ptr<PendingCall> call, mqtt::TimePoint now) {
  PendingCall& it = *call;
  if (calls_.size() >= maximum_calls_) {
    it.phase = PendingCall::Phase::kDone;
    return shell_.Complete(it, LocalStatus(absl::StatusCode::kResourceExhausted,
                                           absl::StrCat("channel has ", calls_.size(), " calls under way, its maximum"),
                                           Outcome::kNotExecuted));
  }
  if (connected_ && inbox_ == Inbox::kRefused && !it.one_way()) {
    it.phase = PendingCall::Phase::kDone;
    return shell_.Complete(it, inbox_refusal_);
  }
  if (!calls_.try_emplace(it.id, std::move(call)).second) {
    it.phase = PendingCall::Phase::kDone;  // 128 random bits came twice: the random source is broken.
    return shell_.Complete(it, LocalStatus(absl::StatusCode::kInternal, "call id is in use", Outcome::kNotExecuted));
  }
  it.bytes = it.payload.size();
  deadlines_.Schedule(it, now + it.timeout);
  it.phase = PendingCall::Phase::kWaiting;
  waiting_.PushBack(it);
  SendWaiting();
}

void CallTable::Cancel(PendingCall& call) {
  if (call.phase == PendingCall::Phase::kDone || call.phase == PendingCall::Phase::kNew) return;
  const Outcome outcome = OutcomeIfGivenUp(call);
  if (connected_ && outcome != Outcome::kNotExecuted) shell_.SendCancel(call);
  Fail(call, absl::StatusCode::kCancelled, "cancelled by the caller", outcome);
}

void CallTable::EndAll(const absl::Status& why) {
  for (const std::shared_ptr<PendingCall>& call : AllCalls()) {
    if (call->phase == PendingCall::Phase::kDone) continue;
    const Outcome outcome = OutcomeIfGivenUp(*call);
    if (connected_ && outcome != Outcome::kNotExecuted) shell_.SendCancel(*call);
    Finish(*call, WithOutcome(why, outcome));
  }
}

void CallTable::Connected(bool session_present, std::size_t receive_maximum) {
  connected_ = true;
  receive_maximum_ = std::min(receive_maximum, kMaximumUnacknowledged);
  ++connection_;
  // An unanswered SUBSCRIBE is sent again by the client.
  if (!session_present && inbox_ != Inbox::kAsked) inbox_ = Inbox::kUnknown;
  if (inbox_ == Inbox::kUnknown || inbox_ == Inbox::kRefused) {
    inbox_ = Inbox::kAsked;
    shell_.SubscribeInbox();
  }
  if (!session_present) SessionLost();  // Ends calls, which may even end the channel.
  SendWaiting();
}

// What was sent may have been lost with the session, and so may its answer.
void CallTable::SessionLost() {
  std::vector<std::shared_ptr<PendingCall>> again;
  for (const std::shared_ptr<PendingCall>& call : AllCalls()) {
    if (call->phase != PendingCall::Phase::kSent || call->resumes()) continue;
    if (call->unacknowledged) {
      call->unacknowledged = false;
      shell_.AbandonSending(*call);  // The client would send it as a new message.
    }
    if (call->repeatable()) {
      again.push_back(call);
    } else {
      Fail(*call, absl::StatusCode::kUnavailable,
           absl::StrCat("the broker's session was lost while waiting for ", call->Name()), Outcome::kPerhaps);
    }
  }
  // Before those that were not sent yet, the first due first.
  std::sort(again.begin(), again.end(), [](const auto& a, const auto& b) { return a->deadline() > b->deadline(); });
  for (const std::shared_ptr<PendingCall>& call : again) {
    if (call->phase != PendingCall::Phase::kSent) continue;
    call->phase = PendingCall::Phase::kWaiting;
    waiting_.PushFront(*call);
  }
}

void CallTable::Disconnected(std::string why) {
  connected_ = false;
  why_disconnected_ = std::move(why);
}

void CallTable::InboxSettled(const absl::Status& status) {
  if (status.ok()) {
    inbox_ = Inbox::kReady;
    return SendWaiting();
  }
  if (status.code() == absl::StatusCode::kCancelled || status.code() == absl::StatusCode::kUnavailable) {
    inbox_ = Inbox::kUnknown;  // Nobody refused: the next connection asks again.
    return;
  }
  inbox_ = Inbox::kRefused;
  inbox_refusal_ = LocalStatus(status.code(), absl::StrCat("subscribing to the channel's inbox: ", status.message()),
                               Outcome::kNotExecuted);
  for (const std::shared_ptr<PendingCall>& call : AllCalls()) {
    if (call->phase != PendingCall::Phase::kWaiting || call->one_way()) continue;
    Finish(*call, call->attempt > 0 ? WithOutcome(inbox_refusal_, Outcome::kPerhaps) : inbox_refusal_);
  }
  SendWaiting();
}

bool CallTable::MaySend() const {
  return connected_ && (inbox_ == Inbox::kReady || inbox_ == Inbox::kRefused) && unacknowledged_ < receive_maximum_ &&
         unacknowledged_bytes_ < kMaximumUnacknowledgedBytes;
}

void CallTable::SendWaiting() {
  if (std::exchange(sending_waiting_, true)) return;  // A sending has ended at once: the loop goes on.
  while (MaySend() && !waiting_.empty()) {
    PendingCall& call = *waiting_.front();
    LinkedList<PendingCall>::Remove(call);
    call.phase = PendingCall::Phase::kSent;
    call.connection = connection_;
    call.unacknowledged = true;
    ++call.attempt;
    ++unacknowledged_;
    unacknowledged_bytes_ += call.bytes;
    if (call.retry != nullptr) ScheduleHedge(call);
    shell_.Send(call);
  }
  sending_waiting_ = false;
}

void CallTable::SendingEnded(PendingCall& call, int attempt, const absl::StatusOr<ReasonCode>& result) {
  --unacknowledged_;
  unacknowledged_bytes_ -= call.bytes;
  if (call.phase == PendingCall::Phase::kSent && call.attempt == attempt && call.unacknowledged) {
    call.unacknowledged = false;
    if (call.accepted()) {
      // It has arrived. What was sent again, since the connection was lost, says nothing.
    } else if (!result.ok()) {
      AttemptFailed(call, SendingStatus(call, result.status()));
    } else if (*result == ReasonCode::kNoMatchingSubscribers) {
      AttemptFailed(call, LocalStatus(absl::StatusCode::kUnavailable, absl::StrCat("nobody serves ", call.Name()),
                                      OutcomeIfLost(call)));
    } else if (call.one_way()) {
      Finish(call, absl::OkStatus());
    }
  }
  SendWaiting();
}

// A first sending that was never repeated has reached nobody if the broker says
// so; of a repeated one, an earlier copy may have, unless each of them was refused.
Outcome CallTable::OutcomeIfLost(const PendingCall& call) const {
  const bool others_refused =
      call.retry != nullptr && !call.retry->may_have_run && call.retry->failures == call.attempt - 1;
  const bool is_only_one = call.attempt == 1 || others_refused;
  return is_only_one && call.connection == connection_ ? Outcome::kNotExecuted : Outcome::kPerhaps;
}

absl::Status CallTable::SendingStatus(const PendingCall& call, const absl::Status& status) const {
  switch (status.code()) {
    case absl::StatusCode::kCancelled:  // Not by us: the client was disconnected.
      return LocalStatus(absl::StatusCode::kUnavailable,
                         absl::StrCat("connection ended while waiting for ", call.Name()), Outcome::kPerhaps);
    case absl::StatusCode::kUnavailable: return WithOutcome(status, Outcome::kPerhaps);
    default: return WithOutcome(status, OutcomeIfLost(call));  // Not taken, by the client or by the broker.
  }
}

std::shared_ptr<PendingCall> CallTable::Find(std::string_view correlation_data) const {
  CallId id;
  if (correlation_data.size() != id.size()) return nullptr;
  std::copy(correlation_data.begin(), correlation_data.end(), id.begin());
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : found->second;
}

void CallTable::Answered(PendingCall& call, absl::Status status) {
  if (call.phase == PendingCall::Phase::kDone) return;
  if (!status.ok()) return AttemptFailed(call, std::move(status));
  tokens_.Succeeded();
  // Other members of the pool work for nothing.
  const bool hedged = call.retry != nullptr && call.retry->hedges() && call.attempt > 1;
  if (hedged && connected_) shell_.SendCancel(call);
  Finish(call, std::move(status));
}

void CallTable::GiveUp(PendingCall& call, const absl::Status& why) {
  if (call.phase == PendingCall::Phase::kDone) return;
  const Outcome outcome = OutcomeIfGivenUp(call);
  absl::Status status = WithOutcome(why, outcome);
  if (call.retry != nullptr) {
    call.retry->failures = std::max(call.attempt - 1, 0);  // All attempts have failed with this one.
    if (TryAgain(call, status)) return;
  }
  if (connected_ && outcome != Outcome::kNotExecuted) shell_.SendCancel(call);
  Finish(call, std::move(status));
}

void CallTable::Accepted(PendingCall& call) {
  const bool another_comes =
      call.phase == PendingCall::Phase::kBackingOff || (call.phase == PendingCall::Phase::kWaiting && call.attempt > 0);
  if (call.retry != nullptr) retries_.Cancel(*call.retry);
  if (!another_comes) return;
  LinkedList<PendingCall>::Remove(call);
  call.phase = PendingCall::Phase::kSent;
}

// What of it may have reached a responder that runs it.
Outcome CallTable::OutcomeIfGivenUp(const PendingCall& call) {
  if (call.attempt == 0) return Outcome::kNotExecuted;
  const bool all_refused = call.phase == PendingCall::Phase::kBackingOff && !call.retry->may_have_run;
  return all_refused ? Outcome::kNotExecuted : Outcome::kPerhaps;
}

void CallTable::TimeIs(mqtt::TimePoint now) {
  while (mqtt::DeadlineQueue::Entry* due = deadlines_.PopDue(now)) Expire(static_cast<PendingCall&>(*due));
  while (mqtt::DeadlineQueue::Entry* due = retries_.PopDue(now)) RetryIsDue(static_cast<RetryState&>(*due));
}

void CallTable::Expire(PendingCall& call) {
  if (call.phase == PendingCall::Phase::kBackingOff) return Finish(call, NoTimeToTryAgain(call));
  if (call.phase == PendingCall::Phase::kWaiting) {
    return Fail(call, absl::StatusCode::kDeadlineExceeded,
                absl::StrCat("no time left to send ", call.Name(), ": ", WhyWaiting()),
                call.attempt > 0 ? Outcome::kPerhaps : Outcome::kNotExecuted);
  }
  std::string text = absl::StrCat("no answer from ", call.Name(), " within ", call.timeout.count(), " ms");
  if (!connected_) absl::StrAppend(&text, "; ", WhyWaiting());
  if (connected_) shell_.SendCancel(call);
  Fail(call, absl::StatusCode::kDeadlineExceeded, text, Outcome::kPerhaps);
}

std::string CallTable::WhyWaiting() const {
  if (!connected_) {
    return absl::StrCat("not connected to ", broker_, why_disconnected_.empty() ? "" : ": ", why_disconnected_);
  }
  if (inbox_ != Inbox::kReady && inbox_ != Inbox::kRefused)
    return absl::StrCat(broker_, " has not acknowledged the inbox's subscription");
  return absl::StrCat(broker_, " has not acknowledged ", unacknowledged_, " earlier requests");
}

void CallTable::Fail(PendingCall& call, absl::StatusCode code, std::string_view text, Outcome outcome) {
  Finish(call, LocalStatus(code, text, outcome));
}

void CallTable::Finish(PendingCall& call, absl::Status status) {
  const auto found = calls_.find(call.id);
  const std::shared_ptr<PendingCall> keep = std::move(found->second);
  calls_.erase(found);
  deadlines_.Cancel(call);
  if (call.retry != nullptr) retries_.Cancel(*call.retry);
  LinkedList<PendingCall>::Remove(call);
  call.phase = PendingCall::Phase::kDone;
  if (std::exchange(call.unacknowledged, false)) shell_.AbandonSending(call);
  shell_.Complete(call, std::move(status));
}

std::vector<std::shared_ptr<PendingCall>> CallTable::AllCalls() const {
  std::vector<std::shared_ptr<PendingCall>> all;
  all.reserve(calls_.size());
  for (const auto& [id, call] : calls_) all.push_back(call);
  // A map's order is another one in each process: the same seed must do the same.
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  return all;
}

}  // namespace mqttrpc
