// The shell around ClientCore: strand, stream, timer, threads.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "client_core.h"
#include "client_strand.h"
#include "mqttrpc/mqtt/client.h"

namespace mqttrpc::mqtt {

// Kept alive by what it has posted and by the Client; the client's end is a
// command like any other, so nothing waits for it.
class Client::Impl final : public std::enable_shared_from_this<Impl>,
                           public Acknowledgement::Target,
                           private Transport::Handler {
 public:
  Impl(const asio::any_io_executor& executor, ClientOptions options);

  // --- Any thread.
  // Calls `command(core, now)` on the strand: at once if this is the strand.
  template <typename Command>
  void Run(Command&& command) {
    if (strand_.running_in_this_thread()) {
      command(core_, turning_ ? turn_time_ : Now());
      return ScheduleTurn();
    }
    strand_.Post([self = shared_from_this(), command = std::forward<Command>(command)]() mutable {
      command(self->core_, self->Now());
      self->ScheduleTurn();
    });
  }

  // Gives the operation behind `slot` a name and lets the slot cancel it; 0 if
  // it cannot be cancelled. To be called on the initiating thread.
  OperationId Claim(asio::cancellation_slot slot);

  void Subscribe(Subscription subscription, std::shared_ptr<mqtt::Handler> handler, Completion<CodeResult> done) {
    const OperationId id = Claim(done.slot());
    SubscribeOperation operation(id, std::move(subscription), std::move(handler), std::move(done));
    Run([operation = std::move(operation)](ClientCore& core, TimePoint) mutable {
      core.Subscribe(std::move(operation));
    });
  }

  void End();
  ConnectionState state() const;
  ClientStatistics statistics() const;
  std::unique_ptr<StateWatch> Watch(absl::AnyInvocable<void(const ConnectionState&)> watcher);
  asio::any_io_executor executor() const { return strand_.executor(); }
  const ClientOptions& options() const { return options_; }

  // Acknowledgement::Target
  bool IsCurrent(std::uint64_t session) const override { return core_.session() == session; }
  void Settle(std::uint64_t serial, Answer answer, ReasonCode code) override;

 private:
  struct Watcher;
  class WatchHandle;

  TimePoint Now() const { return options_.environment.clock->Now(); }

  // Everything the core asks for, once the callbacks and commands of this turn are
  // through: so that one write, or two if they are many, carries all that they caused.
  void ScheduleTurn();
  void PostTurn(int handlers_waited);
  void Turn(TimePoint now);
  void Handle(Event event);
  void Deliver(const Delivery& delivery);
  void TellWatchers(std::shared_ptr<const ConnectionState> state);
  void TellNewWatchers();
  void LogState(const ConnectionState& state);

  bool UpdateStream(TimePoint now);  // Whether the core was told something.
  void Dial(std::uint64_t number);
  void CloseStream();
  void Flush(TimePoint now);
  void Written();
  void ArmTimer();

  // Transport::Handler
  void OnBytes(std::span<const std::byte> bytes) override;
  void OnWritten() override;
  void OnClosed(absl::Status why) override;

  // Set at construction.
  const ClientOptions options_;
  const ClientStrand strand_;
  std::atomic<OperationId> last_operation_{0};

  mutable std::mutex state_mutex_;
  std::shared_ptr<const ConnectionState> state_;  // As last told.
  ClientStatistics statistics_;                   // As of the last turn.

  // Strand only.
  ClientCore core_;
  bool turn_scheduled_ = false;
  std::uint64_t commands_ = 0;  // That asked for a turn, so far.
  TimePoint turn_due_;          // The scheduled one waits no longer for others.
  bool turning_ = false;
  TimePoint turn_time_;  // Of the turn under way.
  bool ended_ = false;
  std::vector<std::shared_ptr<Watcher>> watchers_;
  bool new_watchers_ = false;

  std::unique_ptr<Connector::Attempt> attempt_;
  std::unique_ptr<Transport> transport_;
  std::uint64_t stream_number_ = 0;  // The core's, of what we dialled.
  WireBuffer writing_;               // Lent to the transport.
  bool write_in_progress_ = false;

  std::unique_ptr<Timer> timer_;
  TimePoint armed_ = kNever;
};

}  // namespace mqttrpc::mqtt
