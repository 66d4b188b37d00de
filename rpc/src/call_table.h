// The calls under way on one channel: who waits for what, and until when. No I/O.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "linked_list.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/mqtt/reason_code.h"
#include "mqttrpc/rpc/call_options.h"
#include "mqttrpc/rpc/method.h"
#include "mqttrpc/rpc/status.h"
#include "retry.h"

namespace mqttrpc {

// A call's Correlation Data: random, never used again, the same on every attempt.
using CallId = std::array<char, 16>;

// One call. The table keeps the second part.
struct PendingCall : ListNode, mqtt::DeadlineQueue::Entry, std::enable_shared_from_this<PendingCall> {
  PendingCall() = default;
  virtual ~PendingCall() = default;

  bool one_way() const { return options.one_way; }
  bool repeatable() const { return method->idempotency != Idempotency::kUnknown; }
  // Its payload is needed after the first sending.
  bool keeps_payload() const { return repeatable() || retry != nullptr; }
  std::string_view correlation_data() const { return {id.data(), id.size()}; }
  // The responder has said that it has the request. No other attempt can begin then.
  virtual bool accepted() const { return false; }
  // It is not lost with the broker's session: both sides know how to go on.
  virtual bool resumes() const { return false; }
  std::string Name() const;  // "acme.Lamp/On at lamp-42", for messages.

  // Set by its maker.
  CallId id{};
  const ServiceInfo* service = nullptr;
  const MethodInfo* method = nullptr;
  std::string target;
  std::string payload;  // Given away by the last possible sending.
  CallOptions options;
  std::chrono::milliseconds timeout{0};
  std::unique_ptr<RetryState> retry;  // Null: one attempt.
  std::string later_topic;            // Where the responder wants a cancellation, if it said.

  // The table's.
  enum class Phase { kNew, kWaiting, kSent, kBackingOff, kDone };
  Phase phase = Phase::kNew;
  std::size_t bytes = 0;         // Of the payload; known when it is given away.
  int attempt = 0;               // Of the last sending, from 1.
  bool unacknowledged = false;   // That sending has not ended.
  std::uint64_t connection = 0;  // It began on.
};

// What the table asks of the world. `Complete` may call back into the table.
class CallShell {
 public:
  virtual void SubscribeInbox() = 0;                   // Answer: InboxSettled().
  virtual void Send(PendingCall& call) = 0;            // Publish attempt `call.attempt`. Answer: SendingEnded().
  virtual void AbandonSending(PendingCall& call) = 0;  // Must not be sent any more, if it still can be helped.
  virtual void SendCancel(PendingCall& call) = 0;      // Tell the responder.
  virtual void Complete(PendingCall& call, absl::Status status) = 0;  // Once.
  virtual mqtt::TimePoint Now() const = 0;
  virtual double Chance() = 0;  // Uniform in [0, 1).

 protected:
  ~CallShell() = default;
};

// Calls wait while there is no connection, the inbox is not subscribed to, or as
// many requests are unacknowledged as the broker takes; so a request's times are
// those of its real sending. Every call ends at its deadline at the latest.
class CallTable {
 public:
  // `broker` is for messages.
  CallTable(CallShell& shell, std::string broker, std::size_t maximum_calls,
            const RetryThrottle& throttle = RetryThrottle());

  void Begin(std::shared_ptr<PendingCall> call, mqtt::TimePoint now);
  void Cancel(PendingCall& call);  // The caller's wish.
  void EndAll(const absl::Status& why);

  // What happens to the connection. `session_present`: the broker still knows us.
  void Connected(bool session_present, std::size_t receive_maximum);
  void Disconnected(std::string why);
  void InboxSettled(const absl::Status& status);

  // How sending number `attempt` of `call` ended.
  void SendingEnded(PendingCall& call, int attempt, const absl::StatusOr<mqtt::ReasonCode>& result);

  // Null if nobody waits for it.
  std::shared_ptr<PendingCall> Find(std::string_view correlation_data) const;
  void Answered(PendingCall& call, absl::Status status);

  // The responder has the call after all, while another attempt was to come: there is none.
  void Accepted(PendingCall& call);

  // The other side is gone, or breaks the protocol; it is told to stop.
  void GiveUp(PendingCall& call, const absl::Status& why);

  mqtt::TimePoint Next() const { return std::min(deadlines_.Next(), retries_.Next()); }
  void TimeIs(mqtt::TimePoint now);

  std::size_t size() const { return calls_.size(); }
  bool connected() const { return connected_; }
  std::vector<std::shared_ptr<PendingCall>> AllCalls() const;

 private:
  struct IdHash {
    std::size_t operator()(const CallId& id) const {
      std::size_t hash;  // They are random already.
      std::memcpy(&hash, id.data(), sizeof(hash));
      return hash;
    }
  };
  enum class Inbox { kUnknown, kAsked, kReady, kRefused };

  bool MaySend() const;
  void SendWaiting();
  void SessionLost();
  void Expire(PendingCall& call);

  // Further attempts: call_table_retry.cc.
  void AttemptFailed(PendingCall& call, absl::Status status);
  bool TryAgain(PendingCall& call, const absl::Status& status);
  void BackOff(PendingCall& call, std::chrono::milliseconds wait);
  void ScheduleHedge(PendingCall& call);
  void RetryIsDue(RetryState& retry);
  absl::Status NoTimeToTryAgain(const PendingCall& call) const;
  void Fail(PendingCall& call, absl::StatusCode code, std::string_view text, Outcome outcome);
  void Finish(PendingCall& call, absl::Status status);
  absl::Status SendingStatus(const PendingCall& call, const absl::Status& status) const;
  std::string WhyWaiting() const;
  Outcome OutcomeIfLost(const PendingCall& call) const;
  static Outcome OutcomeIfGivenUp(const PendingCall& call);

  CallShell& shell_;
  const std::string broker_;
  const std::size_t maximum_calls_;
  absl::flat_hash_map<CallId, std::shared_ptr<PendingCall>, IdHash> calls_;
  LinkedList<PendingCall> waiting_;
  mqtt::DeadlineQueue deadlines_;
  mqtt::DeadlineQueue retries_;
  RetryTokens tokens_;
  bool connected_ = false;
  std::string why_disconnected_ = "not started";
  Inbox inbox_ = Inbox::kUnknown;
  absl::Status inbox_refusal_;
  std::size_t receive_maximum_ = 65'535;
  std::size_t unacknowledged_ = 0;  // Sendings under way.
  std::size_t unacknowledged_bytes_ = 0;
  std::uint64_t connection_ = 0;
  bool sending_waiting_ = false;
};

}  // namespace mqttrpc
