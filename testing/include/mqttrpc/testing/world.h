// Start here: a broker and its clients in one thread, under time that stands still
// until the test moves it.
//
//   World world;
//   mqtt::Client& lamp = world.NewClient("lamp-42");
//   ASSERT_TRUE(world.UntilConnected(lamp).ok());
//   auto code = world.Run(lamp.Publish(mqtt::Message("state", "on")));
//   world.Advance(std::chrono::hours(2));  // Costs what happens meanwhile, not two hours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include "mqttrpc/broker/broker.h"
#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/testing/faults.h"
#include "mqttrpc/testing/manual_clock.h"
#include "mqttrpc/testing/recorder.h"
#include "mqttrpc/testing/run_to_end.h"
#include "mqttrpc/testing/seeded_random.h"

namespace mqttrpc::testing {

struct WorldOptions {
  WorldOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // All that is random in the world follows from it: the same seed and the same
  // test give the same recording.
  std::uint64_t seed = 1;

  // The broker's limits. Its environment is the world's.
  broker::BrokerOptions broker;

  mqtt::LogSink* log = &mqtt::NoLog();  // Borrowed. For broker and clients.

  // How much virtual time Run() and Until...() wait, unless told otherwise.
  mqtt::Duration patience = std::chrono::minutes(10);
};

// Nothing happens but inside Advance(), RunUntilQuiet(), Run() and Until...(), on
// the calling thread. Channels and servers of mqttrpc/rpc/ are made on top of its
// clients, and destroyed before it. What is pending when the world ends completes
// with kCancelled in its destructor: what callbacks refer to must live longer.
// Used from one thread.
class World {
 public:
  explicit World(WorldOptions options = WorldOptions());
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // A started client that dials the broker through the world's faults; `name` is
  // what faults and recorder call it, and its client id unless options say another.
  // Connector and environment are the world's. Lives until RemoveClient(), which
  // drops its connection without a DISCONNECT, as a process that dies would.
  mqtt::Client& NewClient(std::string_view name, mqtt::ClientOptions options = mqtt::ClientOptions());
  void RemoveClient(std::string_view name);
  mqtt::Client& client(std::string_view name);  // Which there must be.

  // For what is not made by NewClient(): dials the broker under that name, and
  // what such a client needs of the world. Live as long as it.
  mqtt::Connector& connector(std::string_view name);
  mqtt::Environment environment(std::string_view name);

  // The broker, while there is one; StopBroker() says goodbye to its clients, CrashBroker()
  // does not; both lose all it knew. StartBroker() begins with a new one.
  broker::Broker& broker();
  void StopBroker();
  void CrashBroker();
  void StartBroker();

  // Moves time on, and runs all that happens on the way.
  void Advance(mqtt::Duration step) { clock_.Advance(step); }

  // Runs what can happen without time moving on.
  void RunUntilQuiet() { clock_.RunUntilQuiet(); }

  // Since the world's begin.
  mqtt::Duration elapsed() const;

  // Runs, moving time on from alarm to alarm, until `done` says so; false if it
  // did not within `patience`, or nothing is left that could happen.
  bool Until(const std::function<bool()>& done, std::optional<mqtt::Duration> patience = std::nullopt);

  // Errors: kDeadlineExceeded, with what is missing.
  absl::Status UntilConnected(mqtt::Client& client, std::optional<mqtt::Duration> patience = std::nullopt);

  // Until the broker has `count` subscriptions (or more) with that Topic Filter,
  // byte for byte, of whatever client. Errors: as UntilConnected().
  absl::Status UntilSubscribed(std::string_view topic_filter, std::size_t count = 1,
                               std::optional<mqtt::Duration> patience = std::nullopt);

  // Starts an operation and runs until it is complete. T is what it completes
  // with. If it was not complete in time: kDeadlineExceeded where T is makeable from
  // absl::Status, else T(), as a stream's read of nothing; it is cancelled then. Rethrows
  // what it throws.
  //   world.Run(client.Publish(message));  world.Run(stub.Hello(request));
  template <typename T>
  T Run(asio::awaitable<T> operation, std::optional<mqtt::Duration> patience = std::nullopt);

  // The same for a callback: calls `start` with what is to be called at the end.
  //   world.Run<absl::Status>([&](auto done) { client.Disconnect(std::move(done)); });
  template <typename T, typename Start>
    requires std::invocable<Start, absl::AnyInvocable<void(T)>>
  T Run(Start&& start, std::optional<mqtt::Duration> patience = std::nullopt);

  Faults& faults() { return faults_; }
  Recorder& recorder();
  ManualClock& clock() { return clock_; }
  asio::io_context& io() { return io_; }

  // Drawn from the seed, for what the test itself leaves to chance.
  SeededRandom& random() { return random_; }

 private:
  struct NamedClient;
  class Clients;

  absl::Status TimedOut(std::string_view missing) const;
  template <typename T>
  T NotComplete() const {
    if constexpr (std::is_constructible_v<T, absl::Status>) {
      return T(TimedOut("the operation"));
    } else {
      return T();
    }
  }

  const WorldOptions options_;
  asio::io_context io_;
  ManualClock clock_{io_};
  SeededRandom random_;
  SeededRandom broker_random_;
  const std::unique_ptr<Network> network_;
  Faults faults_;
  std::unique_ptr<broker::Broker> broker_;
  const std::unique_ptr<Clients> clients_;
};

template <typename T>
T World::Run(asio::awaitable<T> operation, std::optional<mqtt::Duration> patience) {
  std::optional<T> result = internal::RunToEnd(
      io_, std::move(operation), [&](const std::function<bool()>& ended) { return Until(ended, patience); });
  if (result.has_value()) return std::move(*result);
  RunUntilQuiet();
  return NotComplete<T>();
}

template <typename T, typename Start>
  requires std::invocable<Start, absl::AnyInvocable<void(T)>>
T World::Run(Start&& start, std::optional<mqtt::Duration> patience) {
  std::optional<T> result = internal::RunToEnd<T>(
      std::forward<Start>(start), [&](const std::function<bool()>& ended) { return Until(ended, patience); });
  if (result.has_value()) return std::move(*result);
  return NotComplete<T>();
}

}  // namespace mqttrpc::testing
