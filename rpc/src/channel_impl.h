// The channel's shell: connection, inbox, timer, payloads.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <asio/cancellation_signal.hpp>

#include "call_table.h"
#include "channel_call.h"
#include "frame_pacer.h"
#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/rpc/channel.h"
#include "mqttrpc/rpc/message_bus.h"
#include "rpc1.h"
#include "step_queue.h"

namespace mqttrpc {

// Everything happens on the bus's executor and under `mutex_`, which therefore
// is free, except for Close(), which may come from another thread. Recursive,
// since the client may answer at once. No user code runs under it.
class Channel::Impl final : public CallShell, public FramePacerShell, public std::enable_shared_from_this<Impl> {
 public:
  // `client`: what the bus stands on, if it is one.
  Impl(std::shared_ptr<MessageBus> bus, mqtt::Client* client, ChannelOptions options);

  void Open();   // The second half of construction.
  void Close();  // The channel's end.
  void Start(std::shared_ptr<ChannelCall> call, asio::cancellation_slot slot);
  static std::shared_ptr<ChannelCall> NewCall(PreparedCall&& prepared);
  // Ends a call that was never started.
  void EndLater(std::shared_ptr<ChannelCall> call, absl::Status status);

  std::size_t calls_under_way() {
    const std::lock_guard lock(mutex_);
    return table_.size();
  }
  mqtt::Client* client() const { return public_client_; }
  const ChannelOptions& options() const { return options_; }
  const absl::Status& options_status() const { return options_status_; }
  const std::shared_ptr<const ClientInterceptors>& interceptors() const { return interceptors_; }

  // CallShell
  void SubscribeInbox() override;
  void Send(PendingCall& call) override;
  void AbandonSending(PendingCall& call) override;
  void SendCancel(PendingCall& call) override;
  void Complete(PendingCall& call, absl::Status status) override;
  mqtt::TimePoint Now() const override { return environment_.clock->Now(); }
  double Chance() override;

  // FramePacerShell
  void SendFragment(CallFlow& flow) override;

  // What a stream's user wants, on the executor.
  void Read(ChannelCall& call, google::protobuf::Message& message, mqtt::Completion<bool> done, std::uint64_t number);
  void CancelRead(ChannelCall& call, std::uint64_t number);
  void Write(ChannelCall& call, WrittenMessage message, mqtt::Completion<bool> done);
  void WritesDone(ChannelCall& call);
  void Finish(ChannelCall& call, mqtt::Completion<absl::Status> done);
  void CancelCall(ChannelCall& call);
  bool HasNotBegun(const ChannelCall& call) {
    const std::lock_guard lock(mutex_);
    return call.phase == PendingCall::Phase::kNew && !call.ended.has_value();
  }
  void GiveUp(ChannelCall& call, const absl::Status& why);  // An interceptor's wish.
  void EndUntold(ChannelCall& call);                        // Its reader or writer is gone; there is a chain.
  const asio::any_io_executor& executor() const { return executor_; }

 private:
  // An end of a call, with how it ended.
  using Ended = std::pair<absl::AnyInvocable<void(absl::Status)>, absl::Status>;

  // Holds the lock; the outermost one runs the ends of calls behind it.
  class Turn {
   public:
    explicit Turn(Impl& impl);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    static constexpr std::size_t kKeptEnds = 256;

    Impl& impl_;
    std::unique_lock<std::recursive_mutex> lock_;
  };

  // The responder has its time to say that it is at work; its word needs some to come here.
  static constexpr std::chrono::milliseconds kAcceptGrace{1'000};

  void Begin(const std::shared_ptr<ChannelCall>& call);
  void ConnectionIs(const mqtt::ConnectionState& state);
  void Arrived(const mqtt::MessageView& message);
  void LateAnswer(const ResponseIn& response);
  static CallInfo* InfoOf(ChannelCall& call) { return call.streams() ? &call.info : call.options.info; }
  static void TakeInfo(ChannelCall& call, ResponseIn& response);
  static absl::Status BadReply(const ChannelCall& call, std::string_view why);
  void PlainAnswer(ChannelCall& call, ResponseIn& response, std::string_view payload);
  static absl::Status StatusOfAnswer(ChannelCall& call, const ResponseIn& response, std::string_view payload);
  void SendingEnded(ChannelCall& call, int attempt, const absl::StatusOr<mqtt::ReasonCode>& result);
  RequestOut RequestHead(const PendingCall& call) const;

  // Calls with frames: channel_frames.cc.
  std::string OpenFrames(ChannelCall& call, RequestOut& head);
  void MakeFrames(ChannelCall& call, std::string_view instance);
  bool NeedsFragments(const ChannelCall& call, const RequestOut& head) const;
  std::size_t LaterRoom(const ClientFrames& frames) const;
  void FrameArrived(ChannelCall& call, ResponseIn& response, std::string_view payload);
  absl::Status TakeFrame(ChannelCall& call, ResponseIn& response, std::string_view payload);
  bool IsFromOurs(ChannelCall& call, const ResponseIn& response);
  void EndArrived(ChannelCall& call);
  absl::Status Deliver(ChannelCall& call);
  absl::Status ReadDone(ChannelCall& call, std::string_view payload);
  void Settle(ChannelCall& call);
  void SendLater(ChannelCall& call, const Frame& frame, const FragmentOut* fragment);
  LaterOut LaterHead(std::string_view instance, std::string_view correlation_data) const;
  void SendCancelTo(std::string_view instance, std::string_view correlation_data);
  void TellEnd(ChannelCall& call);
  void End(ChannelCall& call, absl::Status status);
  void EndFrames(ChannelCall& call);
  void Break(ChannelCall& call, const absl::Status& why);
  auto Ends() {
    return [this](mqtt::Completion<bool> done, bool yes) { steps_.Add(std::move(done), yes); };
  }
  void ResumeFlows(bool session_present);
  void FlowsDisconnected();
  void FlowsAreDue(mqtt::TimePoint now);
  CallId NewId();
  void SetRetry(ChannelCall& call);
  void ArmTimer();
  void TimerFired();
  void Debug(std::string_view event, std::string_view why) const;
  absl::Status CheckOptions() const;

  // Set at construction.
  mqtt::Client* const public_client_;
  const ChannelOptions options_;
  const mqtt::Environment environment_;
  const asio::any_io_executor executor_;
  const absl::Status options_status_;
  const std::shared_ptr<const ClientInterceptors> interceptors_;  // Null: there are none.
  const Rpc1 codec_;

  std::recursive_mutex mutex_;
  int turns_ = 0;                     // Nested.
  std::vector<Ended> ended_, spare_;  // The second is empty, for its room.
  StepQueue steps_{executor_};
  std::shared_ptr<MessageBus> bus_;  // Null after Close().
  bool closing_ = false;             // Close() ends the calls: no new one may begin.
  CallTable table_;
  FramePacer pacer_{*this};
  mqtt::DeadlineQueue flows_;          // Of all calls with frames that have not ended.
  bool flows_wait_for_inbox_ = false;  // The session was lost: they go on when answers can come again.
  std::size_t broker_maximum_packet_ = SIZE_MAX;
  std::unique_ptr<mqtt::StateWatch> watch_;
  std::unique_ptr<mqtt::Timer> timer_;
  mqtt::TimePoint armed_ = mqtt::kNever;
  std::string inbox_;
  std::string caller_;          // Known once connected.
  std::string response_topic_;  // That of the caller's inbox.
  std::string last_failure_;    // Why the last connection ended or did not come about.

  std::array<std::byte, 512> random_{};  // Drawn in one go.
  std::size_t random_used_ = sizeof(random_);
};

}  // namespace mqttrpc
