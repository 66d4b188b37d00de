// Start here: a broker for MQTT 5, 3.1.1 and 3.1 inside your process.
//
//   Broker broker;
//   absl::StatusOr<std::string> url = broker.Listen("mqtt://127.0.0.1:0");
//   // *url is now "mqtt://127.0.0.1:41873"; clients connect, publish, subscribe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/broker/options.h"
#include "mqttrpc/mqtt/transport.h"

namespace mqttrpc::broker {

// What a broker has counted since it was made.
struct BrokerStatistics {
  std::uint64_t connections = 0;          // Open now.
  std::uint64_t sessions = 0;             // Now, with or without a connection.
  std::uint64_t subscriptions = 0;        // Now.
  std::uint64_t retained_messages = 0;    // Now.
  std::uint64_t messages_received = 0;    // PUBLISH packets accepted.
  std::uint64_t messages_sent = 0;        // PUBLISH packets put on the way.
  std::uint64_t messages_dropped = 0;     // For whatever reason: docs/broker.md, $SYS.
  std::uint64_t memory_used = 0;          // Bytes held for clients now, as of the last turn.
  std::uint64_t connections_refused = 0;  // Malformed, refused, or timed out before CONNACK.
};

// One broker. Several live in one process without knowing each other. Any
// thread may call any method. The destructor stops it as Stop() does.
class Broker {
 public:
  // Runs on a thread of its own, or one for each of options.shards. Throws std::system_error
  // if the system has no thread or descriptor left.
  explicit Broker(const BrokerOptions& options = BrokerOptions());

  // Runs on `executor`, which must run one handler at a time: a strand, or an
  // io_context that one thread runs. Its context outlives the broker. Several shards all
  // run there, which is good for tests of them only.
  Broker(asio::any_io_executor executor, const BrokerOptions& options);

  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Accepts clients at `url`, e.g. "mqtt://127.0.0.1:0"; returns the URL as
  // bound, with the port that the system chose for 0. May be called repeatedly.
  // When it returns, connecting works. Whether a non-loopback address is wise is
  // the caller's question: names and passwords are not checked yet.
  // Errors: kInvalidArgument not a URL, or options out of range: see Check(); kUnavailable the address is in use or
  // not ours; kFailedPrecondition after Stop().
  absl::StatusOr<std::string> Listen(std::string_view url);

  // Serves a client over `transport`, which must use this broker's executor(). With several
  // shards it must be one of mqttrpc's own: others cannot go on with another shard, and
  // their clients may be refused with 0x88.
  void Attach(std::unique_ptr<mqtt::Transport> transport);

  // Dials this broker in memory, whatever the endpoint; for ClientOptions::connector.
  // After the broker's end it answers kUnavailable; itself it must not be used then.
  mqtt::Connector& connector();

  // Tells every client 0x8B (Server shutting down), closes everything, and
  // returns when nothing of it runs any more, except that sockets may linger on
  // the executor for a second to see their last bytes out. Idempotent.
  //
  // Waits for the executor. Called on it, or for an io_context by the thread that
  // runs it, also between two runs or after the last, it does its work itself. A
  // strand that nobody runs any more would be waited for in vain. Not on a thread of the
  // broker's own, so not from inside an Authenticator or LogSink of it, nor may the broker
  // be destroyed there.
  void Stop();

  BrokerStatistics statistics() const;

  // How many clients have subscribed with exactly that Topic Filter; a shared one
  // is named whole, with $share/. Call it on the executor, or while that does not run; not
  // if shards run on several threads.
  std::size_t subscription_count(std::string_view topic_filter) const;

  // Of the first shard, if there are several. Of a thread of its own it is valid as long as
  // the broker, and best for posting: for sockets and timers on it Asio starts a thread.
  asio::any_io_executor executor() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mqttrpc::broker
