// The connections of one thread, and the turns they are served in.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <asio/any_io_executor.hpp>

#include "broker_core.h"
#include "chained_executor.h"
#include "link.h"
#include "listener.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "socket_poller.h"

namespace mqttrpc::broker {

// The sans-I/O core on an executor that runs one handler at a time. During a turn
// connections only fill queues; at its end each one that has something to say is
// written to once. A turn is what is ready to be read when the poller asks, or what the
// executor runs until it comes to the posted Flush(): under load that is many reads,
// without load it is one. Once a turn has had its share of work, what is read only waits
// for the next.
//
// Of several shards each is as if it were alone, but for what its Neighbours tell, and for
// the streams that the first accepts and hands to the others (shard_neighbours.cc).
class Shard final : private LinkHost,
                    private mqtt::ChainedExecutor::Target,
                    public std::enable_shared_from_this<Shard> {
 public:
  Shard(asio::any_io_executor executor, const BrokerOptions& options);
  ~Shard();

  // Makes them one broker; before anything else. `seed` decides who serves which client.
  static void Join(const std::vector<std::shared_ptr<Shard>>& shards, std::uint64_t seed);

  // Any thread. False once stopped; then the transport is dropped.
  bool Attach(std::unique_ptr<mqtt::Transport> transport);
  bool Add(std::shared_ptr<Listener> listener);

  bool stopped() const { return stopped_.load(); }
  const Counters& counters() const { return core_.counters; }
  const asio::any_io_executor& executor() const { return executor_; }

  // Executor only.
  const SubscriptionTree& subscriptions() const { return core_.router.subscriptions(); }

  // Executor only. Tells all clients 0x8B, gives those that are just being
  // written to some turns for it, then closes everything and calls `done`.
  void Stop(absl::AnyInvocable<void()> done);

  // Executor only, or when CanStopHere(). The same at once.
  void StopNow();

  // Whether the calling thread may call StopNow() although the executor does not
  // run at the moment: it is an io_context that nobody runs, as far as can be told
  // because we are the one thread that does.
  bool CanStopHere();

 private:
  mqtt::TimePoint Now() const override { return core_.options.environment.clock->Now(); }
  void BeforeInput() override {
    if (core_.neighbours != nullptr) ReceiveMail();
  }
  bool HasTurn(const Link& link) const override;
  void OnAwake(Link& link) override;
  void OnPatient(Link& link) override;
  void OnPublished(Link& link) override;
  void OnUnfinished(Link& link) override;
  void OnMoves(Link& link) override;
  void OnChained(int what) override;

  bool Enter();
  Link* AddLink(std::unique_ptr<mqtt::Transport> transport);
  Link& AddAdmitted(std::unique_ptr<mqtt::Transport> transport);
  enum Chained { kFlush, kContinueTurn };
  void Post(Chained what);
  void ScheduleFlush();
  void OnMail();
  void ReceiveMail();
  void Arrive(std::unique_ptr<mqtt::Transport> transport, const std::string& unread);
  void Remove(Link& link);
  void FlushAfterRounds();
  void Flush();
  void FlushAwake();
  void CountMemory();
  void Schedule(Link& link);
  void ArmTimer();
  void OnTimer();
  void ArmPatience(mqtt::TimePoint until);
  void WakePatient();
  void ResumeAll();
  std::uint64_t RankOf(const ServerConnection& connection) const;
  void PostContinue();
  void ContinueTurn();
  void ContinueOrHold(Link& link);
  void LeaveQueue(Link& link);
  bool MakeRoom();
  bool MustWait(const Link& link) const;
  void Hold(Link& link);
  void ReleaseHeld();
  void ReleaseLongestHeld();
  void Await(Link& link);
  void DisconnectAll();
  void StopTurn(int turns_left, absl::AnyInvocable<void()> done);

  const asio::any_io_executor executor_;
  const mqtt::ChainedExecutor chained_executor_;
  const std::shared_ptr<mqtt::SocketPoller> poller_;  // Its rounds are our turns. Null: there is none.
  std::shared_ptr<PostOffice> office_;                // Null: there are no other shards.
  BrokerCore core_;
  std::vector<std::weak_ptr<Shard>> all_;  // By index.

  std::mutex home_mutex_;
  std::optional<std::thread::id> home_;  // The thread that ran us last. Guarded.
  std::atomic<bool> stopped_{false};     // Written under home_mutex_.

  // Executor only:
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Link>> links_;
  std::uint64_t last_link_ = 0;
  std::vector<Link*> awake_;
  std::vector<Link*> flushing_;
  std::vector<Link*> paused_;
  std::vector<Link*> patient_;
  std::vector<Link*> held_;                // Until other shards have less to do.
  std::map<Place, Link*> waiting_;         // For their turn.
  std::map<std::uint64_t, Link*> by_age_;  // The same by their tickets.
  std::uint64_t last_place_ = 0;
  std::vector<std::span<const std::byte>> gather_;
  bool flushes_after_rounds_ = false;
  bool flush_posted_ = false;
  bool continue_posted_ = false;
  mqtt::DeadlineQueue deadlines_;
  std::unique_ptr<mqtt::Timer> timer_;
  mqtt::TimePoint timer_armed_for_ = mqtt::kNever;
  std::unique_ptr<mqtt::Timer> resume_timer_;
  std::unique_ptr<mqtt::Timer> patience_timer_;
  std::unique_ptr<mqtt::Timer> hold_timer_;
};

}  // namespace mqttrpc::broker
