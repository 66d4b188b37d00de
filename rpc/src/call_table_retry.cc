// Attempts after the first one.
#include <utility>

#include <absl/strings/str_cat.h>

#include "call_table.h"
#include "mqttrpc/rpc/status.h"
#include "status_wire.h"

namespace mqttrpc {

using std::chrono::milliseconds;

void CallTable::AttemptFailed(PendingCall& call, absl::Status status) {
  if (call.retry != nullptr && TryAgain(call, status)) return;
  Finish(call, std::move(status));
}

// False: the call ends with `status`.
bool CallTable::TryAgain(PendingCall& call, const absl::Status& status) {
  RetryState& retry = *call.retry;
  ++retry.failures;
  const Outcome outcome = OutcomeOf(status);
  if (outcome != Outcome::kNotExecuted) retry.may_have_run = true;
  const bool bears_it = outcome == Outcome::kNotExecuted || call.repeatable();
  const auto asked_for = RetryAfter(status);
  if (!bears_it || call.accepted() || (asked_for.has_value() && asked_for->count() < 0)) return false;
  const bool waits_for_ready = retry.waits_for_ready && absl::IsUnavailable(status) && outcome == Outcome::kNotExecuted;
  if (!retry.Lists(status.code()) && !waits_for_ready) return false;
  tokens_.Failed();
  retry.last_failure = status;
  // Another attempt is still under way, and may do better.
  if (retry.hedges() && call.repeatable() && call.attempt > retry.failures) return true;
  if (!waits_for_ready && (call.attempt >= retry.policy.maximum_attempts || !tokens_.allows())) return false;
  const milliseconds wait = asked_for.value_or(BackoffOf(retry.policy, retry.failures, shell_.Chance()));
  if (!waits_for_ready && shell_.Now() + wait >= call.deadline()) return false;
  BackOff(call, wait);
  return true;
}

void CallTable::BackOff(PendingCall& call, milliseconds wait) {
  LinkedList<PendingCall>::Remove(call);
  call.phase = PendingCall::Phase::kBackingOff;
  if (std::exchange(call.unacknowledged, false)) shell_.AbandonSending(call);
  retries_.Schedule(*call.retry, shell_.Now() + wait);
}

void CallTable::ScheduleHedge(PendingCall& call) {
  const RetryState& retry = *call.retry;
  if (!retry.hedges() || !call.repeatable() || call.attempt >= retry.policy.maximum_attempts) return;
  if (tokens_.allows()) retries_.Schedule(*call.retry, shell_.Now() + retry.policy.hedging_delay);
}

void CallTable::RetryIsDue(RetryState& retry) {
  PendingCall& call = retry.call;
  const bool hedges = call.phase == PendingCall::Phase::kSent && !call.accepted();
  if (call.accepted() || (call.phase != PendingCall::Phase::kBackingOff && !hedges)) return;
  call.phase = PendingCall::Phase::kWaiting;
  waiting_.PushBack(call);
  SendWaiting();
}

absl::Status CallTable::NoTimeToTryAgain(const PendingCall& call) const {
  const RetryState& retry = *call.retry;
  return LocalStatus(absl::StatusCode::kDeadlineExceeded,
                     absl::StrCat("no time left to try ", call.Name(), " again after ", retry.failures,
                                  " attempts; the last one: ", retry.last_failure.message()),
                     retry.may_have_run ? Outcome::kPerhaps : Outcome::kNotExecuted);
}

}  // namespace mqttrpc
