#include "mqttrpc/broker/broker.h"

#include <csignal>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "shard.h"

namespace mqttrpc::broker {
namespace {

// An io_context and the thread that runs it.
class OwnThread {
 public:
  OwnThread() : io_(1), work_(io_.get_executor()), thread_([this] { Run(); }) {}
  ~OwnThread() { Join(); }

  asio::any_io_executor executor() { return io_.get_executor(); }

  // What still lingers is dropped.
  void Join() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    // Signals are the application's: its own threads get them.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    io_.run();
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
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
      : own_thread_(std::make_unique<OwnThread>()),
        options_are_good_(Check(options)),
        environment_(options.environment),
        shard_(std::make_shared<Shard>(own_thread_->executor(), options)),
        connector_(shard_) {}

  Impl(asio::any_io_executor executor, const BrokerOptions& options)
      : options_are_good_(Check(options)),
        environment_(options.environment),
        shard_(std::make_shared<Shard>(std::move(executor), options)),
        connector_(shard_) {}

  absl::StatusOr<std::string> Listen(std::string_view url) {
    const auto endpoint = mqtt::ParseEndpoint(url);
    if (!endpoint.ok()) return endpoint.status();
    if (!options_are_good_.ok()) return options_are_good_;
    if (shard_->stopped()) return absl::FailedPreconditionError("the broker was stopped");
    auto listener = Listener::Open(shard_->executor(), *endpoint, environment_);
    if (!listener.ok()) return listener.status();
    std::string bound = (*listener)->endpoint().ToString();
    if (!shard_->Add(*std::move(listener))) return absl::FailedPreconditionError("the broker was stopped");
    return bound;
  }

  void Stop() {
    const std::lock_guard lock(stop_mutex_);
    if (std::exchange(stop_called_, true)) return;
    auto finished = std::make_shared<std::promise<void>>();
    std::future<void> end = finished->get_future();
    asio::dispatch(shard_->executor(), [shard = shard_, finished, caller = std::this_thread::get_id()] {
      if (shard->stopped()) return;
      // Inside a handler of the executor: nothing else runs until it returns.
      if (std::this_thread::get_id() == caller) {
        shard->StopNow();
        return finished->set_value();
      }
      shard->Stop([finished] { finished->set_value(); });
    });
    const bool ended = end.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    if (!ended && own_thread_ == nullptr && shard_->CanStopHere()) {
      shard_->StopNow();
    } else {
      end.wait();
    }
    if (own_thread_ != nullptr) own_thread_->Join();
  }

  Shard& shard() { return *shard_; }
  mqtt::Connector& connector() { return connector_; }

 private:
  const std::unique_ptr<OwnThread> own_thread_;  // Null if the executor was given.
  const absl::Status options_are_good_;
  const mqtt::Environment environment_;
  const std::shared_ptr<Shard> shard_;
  MemoryConnector connector_;
  std::mutex stop_mutex_;
  bool stop_called_ = false;
};

Broker::Broker(const BrokerOptions& options) : impl_(std::make_shared<Impl>(options)) {}

Broker::Broker(asio::any_io_executor executor, const BrokerOptions& options)
    : impl_(std::make_shared<Impl>(std::move(executor), options)) {}

Broker::~Broker() { Stop(); }

absl::StatusOr<std::string> Broker::Listen(std::string_view url) { return impl_->Listen(url); }

void Broker::Attach(std::unique_ptr<mqtt::Transport> transport) { impl_->shard().Attach(std::move(transport)); }

mqtt::Connector& Broker::connector() { return impl_->connector(); }

void Broker::Stop() { impl_->Stop(); }

BrokerStatistics Broker::statistics() const {
  const Counters& counters = impl_->shard().counters();
  BrokerStatistics statistics;
  statistics.connections = counters.connections.value();
  statistics.memory_used = counters.memory_used.value();
  statistics.sessions = counters.sessions.value();
  statistics.retained_messages = counters.retained_messages.value();
  statistics.subscriptions = counters.subscriptions.value();
  statistics.messages_received = counters.messages_received.value();
  statistics.messages_sent = counters.messages_sent.value();
  statistics.messages_dropped = counters.messages_dropped();
  statistics.connections_refused = counters.connections_refused.value();
  return statistics;
}

std::size_t Broker::subscription_count(std::string_view topic_filter) const {
  return impl_->shard().subscriptions().Count(topic_filter);
}

asio::any_io_executor Broker::executor() const { return impl_->shard().executor(); }

}  // namespace mqttrpc::broker
