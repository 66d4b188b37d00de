// The server's shell: subscriptions, connection, timer, drain.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher.h"
#include "handler_gate.h"
#include "mqttrpc/rpc/message_bus.h"
#include "mqttrpc/rpc/server.h"
#include "rpc1.h"
#include "step_queue.h"

namespace mqttrpc {

// Everything happens on the bus's executor and under `mutex_`, which therefore
// is free, except for the few questions any thread may ask and for Close(), which
// may come from another thread: it then waits for the handler that runs.
// Recursive, since handlers run under it and may use the server.
class Server::Impl final : public DispatcherShell, public AnswerSink, public std::enable_shared_from_this<Impl> {
 public:
  using Done = mqtt::Completion<absl::Status>;

  Impl(std::shared_ptr<MessageBus> bus, ServerOptions options);
  ~Impl();

  void Open();   // The second half of construction.
  void Close();  // The server's end.
  void Add(Service& service);
  void Start(Done done);
  void Stop(std::chrono::milliseconds patience, Done done);
  std::string instance() const;
  std::size_t running_calls() const;
  std::size_t waiting_calls() const;
  std::size_t remembered_calls() const;

  // DispatcherShell
  void SendAnswer(mqtt::Message message) override;
  void SendFrame(mqtt::Message message, std::shared_ptr<ServerCall::State> fragment_of, std::size_t bytes) override;
  void Step(mqtt::Completion<bool> done, bool yes) override { steps_.Add(std::move(done), yes); }
  void CallReleased() override { CheckDrained(); }
  std::size_t answers_under_way() const override { return answers_under_way_; }
  std::shared_ptr<const HandlerPlace> PlaceForHandler() override;
  void RunHandler(Service& service, std::size_t method, std::shared_ptr<ServerCall::State> call) override;

  // AnswerSink
  void HandlerEnded(ServerCall::State& call, Answer answer) override;
  void HandlerLost(ServerCall::State& call) override;
  void Read(ServerCall::State& call, google::protobuf::Message& message, mqtt::Completion<bool> done,
            std::uint64_t number) override;
  void CancelRead(ServerCall::State& call, std::uint64_t number) override;
  void Write(ServerCall::State& call, WrittenMessage message, mqtt::Completion<bool> done) override;
  void GiveUp(ServerCall::State& call, const absl::Status& why) override;

 private:
  enum class Phase { kNew, kConnecting, kSubscribing, kServing, kDraining, kStopped };

  // Holds the lock; the outermost one ends what handlers wait for, still under it, when
  // the state is consistent.
  class Lock {
   public:
    explicit Lock(const Impl& impl);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    const Impl& impl_;
    std::unique_lock<std::recursive_mutex> lock_;
  };

  void Begin(Done done);
  void Subscribe(const absl::Status& connected);
  void SubscribeTo(const std::string& topic_filter);
  void Subscribed(const absl::Status& status);
  void EndStart(absl::Status status);
  void UnsubscribeAll(bool count);
  void UnsubscribeFrom(std::string topic_filter, bool count);
  void Drain(std::chrono::milliseconds patience, Done done);
  void CheckDrained();
  void CheckWhatIsLeft();
  std::size_t working() const { return dispatcher_.running() + dispatcher_.held(); }
  void EndStop(absl::Status status);
  absl::Status PatienceOver() const;
  void AnswerSent(const absl::StatusOr<mqtt::ReasonCode>& result);
  void ConnectionIs(const mqtt::ConnectionState& state);
  void ArmTimer();
  void TimerFired();
  absl::Status CheckOptions() const;
  std::vector<std::string> TopicFilters() const;
  mqtt::TimePoint Now() const { return environment_.clock->Now(); }
  // Runs `act(Impl*)` on the executor, under the lock; with null if the server is gone by then.
  template <typename Act>
  void Later(Act act);

  // Set at construction.
  const ServerOptions options_;
  const mqtt::Environment environment_;
  const asio::any_io_executor executor_;
  const absl::Status options_status_;
  const std::shared_ptr<const ServerInterceptors> interceptors_;  // Null: there are none.
  const Rpc1 codec_;
  const std::shared_ptr<HandlerGate> gate_ = std::make_shared<HandlerGate>();

  mutable std::recursive_mutex mutex_;
  mutable int locks_ = 0;  // Nested.
  mutable StepQueue steps_{executor_};
  std::shared_ptr<MessageBus> bus_;  // Null after Close().
  Dispatcher dispatcher_;
  std::shared_ptr<const HandlerPlace> home_place_;  // All handlers' if none hops; made with the first.
  Phase phase_ = Phase::kNew;
  std::unique_ptr<mqtt::StateWatch> watch_;
  std::unique_ptr<mqtt::Timer> timer_;
  mqtt::TimePoint armed_ = mqtt::kNever;

  Done start_done_;
  std::size_t subscribing_ = 0;
  absl::Status subscribe_status_;
  // Subscribed to, or about to be: for requests, and for the later frames of calls, which
  // those that still run need until they have ended.
  std::vector<std::string> topic_filters_;
  std::string later_filter_;

  Done stop_done_;
  std::size_t unsubscribing_ = 0;
  std::size_t answers_under_way_ = 0;
  mqtt::TimePoint patience_until_ = mqtt::kNever;
  bool checking_drained_ = false;
  bool patience_over_ = false;
  std::size_t cancelled_handlers_ = 0;  // When it was.
  std::size_t given_up_calls_ = 0;      // Without a handler: half a request, or an unconfirmed end.
};

}  // namespace mqttrpc
