#include "mqttrpc/broker/broker.h"

#include <algorithm>
#include <csignal>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <asio/dispatch.hpp>
#include <asio/post.hpp>

#include "event_loop.h"
#include "shard.h"

namespace mqttrpc::broker {
namespace {

// An event loop, and the thread that runs it from Start() on.
class OwnThread {
 public:
  OwnThread() = default;
  ~OwnThread() { Join(); }

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

  asio::any_io_executor executor() { return loop_.executor(); }

  // What still lingers is dropped.
  void Join() {
    loop_.Stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    // Signals are the application's: its own threads get them.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    loop_.Run();
  }

  mqtt::EventLoop loop_;
  std::thread thread_;
};

// Dials the broker behind it through a pipe in memory.
class MemoryConnector final : public mqtt::Connector {
 public:
  explicit MemoryConnector(std::shared_ptr<Shard> shard) : shard_(std::move(shard)) {}

  std::unique_ptr<Attempt> Connect(const mqtt::Endpoint&, asio::any_io_executor executor, Done done) override {
    auto wanted = std::make_shared<bool>(true);  // Used on `executor` only.
    auto [client_end, broker_end] = mqtt::MemoryTransportPair(executor, shard_->executor());
    absl::StatusOr<std::unique_ptr<mqtt::Transport>> result = absl::UnavailableError("the broker was stopped");
    if (shard_->Attach(std::move(broker_end))) result = std::move(client_end);
    asio::post(executor, [wanted, finish = std::move(done), answer = std::move(result)]() mutable {
      if (*wanted) finish(std::move(answer));
    });
    return std::make_unique<PendingAttempt>(std::move(wanted));
  }

 private:
  class PendingAttempt final : public Attempt {
   public:
    explicit PendingAttempt(std::shared_ptr<bool> wanted) : wanted_(std::move(wanted)) {}
    ~PendingAttempt() override { *wanted_ = false; }

   private:
    const std::shared_ptr<bool> wanted_;
  };

  const std::shared_ptr<Shard> shard_;
};

}  // namespace

class Broker::Impl {
 public:
  explicit Impl(const BrokerOptions& options)
      : own_threads_(ShardsOf(options)),
        options_are_good_(Check(options)),
        environment_(options.environment),
        shards_(Shards(options, [this](std::size_t i) { return own_threads_[i].executor(); })),
        connector_(shards_.front()) {
    for (OwnThread& thread : own_threads_) thread.Start();  // What they run is all there.
  }

  Impl(asio::any_io_executor executor, const BrokerOptions& options)
      : options_are_good_(Check(options)),
        environment_(options.environment),
        shards_(Shards(options, [&](std::size_t) { return executor; })),
        connector_(shards_.front()) {}

  absl::StatusOr<std::string> Listen(std::string_view url) {
    const auto endpoint = mqtt::ParseEndpoint(url);
    if (!endpoint.ok()) return endpoint.status();
    if (!options_are_good_.ok()) return options_are_good_;
    if (first().stopped()) return absl::FailedPreconditionError("the broker was stopped");
    auto listener = Listener::Open(first().executor(), *endpoint, environment_);
    if (!listener.ok()) return listener.status();
    std::string bound = (*listener)->endpoint().ToString();
    if (!first().Add(*std::move(listener))) return absl::FailedPreconditionError("the broker was stopped");
    return bound;
  }

  void Stop() {
    const std::lock_guard lock(stop_mutex_);
    if (std::exchange(stop_called_, true)) return;
    std::vector<std::future<void>> ends;
    ends.reserve(shards_.size());
    for (const auto& shard : shards_) ends.push_back(BeginStop(shard));
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      const bool ended = ends[i].wait_for(std::chrono::seconds(0)) == std::future_status::ready;
      if (!ended && own_threads_.empty() && shards_[i]->CanStopHere()) {
        shards_[i]->StopNow();
      } else {
        ends[i].wait();
      }
    }
    for (OwnThread& thread : own_threads_) thread.Join();
  }

  // Accepts the connections; of the others, none is special.
  Shard& first() { return *shards_.front(); }
  const std::vector<std::shared_ptr<Shard>>& shards() const { return shards_; }
  mqtt::Connector& connector() { return connector_; }

 private:
  static std::size_t ShardsOf(const BrokerOptions& options) {
    return std::clamp<std::size_t>(options.shards, 1, kMaximumShards);
  }

  template <typename ExecutorOf>
  static std::vector<std::shared_ptr<Shard>> Shards(const BrokerOptions& options, ExecutorOf executor_of) {
    std::vector<std::shared_ptr<Shard>> shards;
    shards.reserve(ShardsOf(options));
    for (std::size_t i = 0; i < ShardsOf(options); ++i) {
      shards.push_back(std::make_shared<Shard>(executor_of(i), options));
    }
    if (shards.size() > 1) Shard::Join(shards, options.environment.random->Next());
    return shards;
  }

  static std::future<void> BeginStop(const std::shared_ptr<Shard>& shard) {
    auto finished = std::make_shared<std::promise<void>>();
    std::future<void> end = finished->get_future();
    asio::dispatch(shard->executor(), [shard, finished, caller = std::this_thread::get_id()] {
      if (shard->stopped()) return;
      // Inside a handler of the executor: nothing else runs until it returns.
      if (std::this_thread::get_id() == caller) {
        shard->StopNow();
        return finished->set_value();
      }
      shard->Stop([finished] { finished->set_value(); });
    });
    return end;
  }

  std::vector<OwnThread> own_threads_;  // One for each shard; none if an executor was given.
  const absl::Status options_are_good_;
  const mqtt::Environment environment_;
  const std::vector<std::shared_ptr<Shard>> shards_;
  MemoryConnector connector_;
  std::mutex stop_mutex_;
  bool stop_called_ = false;
};

Broker::Broker(const BrokerOptions& options) : impl_(std::make_shared<Impl>(options)) {}

Broker::Broker(asio::any_io_executor executor, const BrokerOptions& options)
    : impl_(std::make_shared<Impl>(std::move(executor), options)) {}

Broker::~Broker() { Stop(); }

absl::StatusOr<std::string> Broker::Listen(std::string_view url) { return impl_->Listen(url); }

void Broker::Attach(std::unique_ptr<mqtt::Transport> transport) { impl_->first().Attach(std::move(transport)); }

mqtt::Connector& Broker::connector() { return impl_->connector(); }

void Broker::Stop() { impl_->Stop(); }

BrokerStatistics Broker::statistics() const {
  BrokerStatistics statistics;
  for (const auto& shard : impl_->shards()) {
    const Counters& counters = shard->counters();
    statistics.connections += counters.connections.value();
    statistics.memory_used += counters.memory_used.value();
    statistics.sessions += counters.sessions.value();
    statistics.retained_messages = counters.retained_messages.value();  // All keep the same.
    statistics.subscriptions += counters.subscriptions.value();
    statistics.messages_received += counters.messages_received.value();
    statistics.messages_sent += counters.messages_sent.value();
    statistics.messages_dropped += counters.messages_dropped();
    statistics.connections_refused += counters.connections_refused.value();
  }
  return statistics;
}

std::size_t Broker::subscription_count(std::string_view topic_filter) const {
  std::size_t count = 0;
  for (const auto& shard : impl_->shards()) count += shard->subscriptions().Count(topic_filter);
  return count;
}

asio::any_io_executor Broker::executor() const { return impl_->first().executor(); }

}  // namespace mqttrpc::broker
