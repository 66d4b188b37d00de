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
#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/rpc/channel.h"
#include "rpc1.h"

namespace mqttrpc {

// A call with what its end needs.
struct ChannelCall final : PendingCall {
  ChannelCall() = default;

  google::protobuf::Message* reply = nullptr;  // Lives in `done`.
  absl::AnyInvocable<void(absl::Status)> done;
  // One for each sending, since an abandoned one may end after the next began.
  // Nearly always there is one only.
  asio::cancellation_signal first_abandon;
  std::list<asio::cancellation_signal> later_abandons;

  asio::cancellation_signal& last_abandon() { return later_abandons.empty() ? first_abandon : later_abandons.back(); }
};

// Everything happens on the client's executor and under `mutex_`, which therefore
// is free, except for Close(), which may come from another thread. Recursive,
// since the client may answer at once. No user code runs under it.
class Channel::Impl final : public CallShell, public std::enable_shared_from_this<Impl> {
 public:
  Impl(mqtt::Client& client, ChannelOptions options);

  void Open();   // The second half of construction.
  void Close();  // The channel's end.
  void Start(std::shared_ptr<ChannelCall> call, asio::cancellation_slot slot);
  // Ends a call that was never started.
  void EndLater(std::shared_ptr<ChannelCall> call, absl::Status status);

  mqtt::Client& client() const { return public_client_; }
  const ChannelOptions& options() const { return options_; }
  const absl::Status& options_status() const { return options_status_; }

  // CallShell
  void SubscribeInbox() override;
  void Send(PendingCall& call) override;
  void AbandonSending(PendingCall& call) override;
  void SendCancel(PendingCall& call) override;
  void Complete(PendingCall& call, absl::Status status) override;

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

  void Begin(const std::shared_ptr<ChannelCall>& call);
  void CancelCall(ChannelCall& call);
  void ConnectionIs(const mqtt::ConnectionState& state);
  void Arrived(const mqtt::MessageView& message);
  void SendingEnded(ChannelCall& call, int attempt, const absl::StatusOr<mqtt::ReasonCode>& result);
  RequestOut RequestHead(const PendingCall& call) const;
  CallId NewId();
  void ArmTimer();
  void TimerFired();
  void Debug(std::string_view event, std::string_view why) const;
  absl::Status CheckOptions() const;
  mqtt::TimePoint Now() const { return environment_.clock->Now(); }

  // Set at construction.
  mqtt::Client& public_client_;
  const ChannelOptions options_;
  const mqtt::Environment environment_;
  const asio::any_io_executor executor_;
  const absl::Status options_status_;
  const Rpc1 codec_;

  std::recursive_mutex mutex_;
  int turns_ = 0;                     // Nested.
  std::vector<Ended> ended_, spare_;  // The second is empty, for its room.
  mqtt::Client* client_;              // Null after Close().
  bool closing_ = false;              // Close() ends the calls: no new one may begin.
  CallTable table_;
  std::unique_ptr<mqtt::StateWatch> watch_;
  std::unique_ptr<mqtt::Timer> timer_;
  mqtt::TimePoint armed_ = mqtt::kNever;
  std::string inbox_;
  std::string caller_;               // Known once connected.
  std::string response_topic_;       // That of the caller's inbox.
  std::string last_failure_;         // Why the last connection ended or did not come about.
  PendingCall* starting_ = nullptr;  // A call that ends while its initiation runs ends afterwards.

  std::array<std::byte, 512> random_{};  // Drawn in one go.
  std::size_t random_used_ = sizeof(random_);
};

}  // namespace mqttrpc
