// Publishers and subscribers of one kind, with a fixed number of messages under way.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "load/connection.h"
#include "load/loop.h"
#include "report/latencies.h"
#include "report/sample.h"

namespace bench {

enum class Pattern {
  kPairs,        // Publisher i to subscriber i, on a topic of their own.
  kEveryone,     // All publishers to all subscribers, on one topic.
  kSharedGroup,  // All publishers to any one of the subscribers.
};

struct FlowOptions {
  Pattern pattern = Pattern::kPairs;
  std::size_t publishers = 1;
  std::size_t subscribers = 1;
  std::uint8_t qos = 0;
  std::size_t payload_bytes = 64;  // At least 12.
  // Messages of one publisher that are sent and have not come to everyone yet.
  std::size_t window = 100;
  std::string name = "load";  // First topic level, and of the client ids.
};

// A payload begins with its publisher's number and the message's, so that what is
// missing, comes twice or overtakes is noticed. Works on its loop's thread.
class Flow final : public Connection::Handler {
 public:
  // Connects and subscribes everyone.
  Flow(Loop& loop, std::uint16_t port, const FlowOptions& options);

  void Start();
  // Sends no more, and waits until all is there or nothing comes for two seconds. Adds
  // losses and disorder to `sample`.
  void Stop(Sample& sample);

  std::uint64_t delivered() const { return delivered_; }  // Messages, once for each who got them.
  Latencies& latencies() { return latencies_; }           // From sending to each delivery; of every 8th message.

 private:
  static constexpr std::size_t kTimed = 8;

  struct Publisher {
    std::unique_ptr<Connection> connection;
    std::string topic_name;
    std::uint64_t sent = 0;
    std::uint64_t delivered = 0;                                 // To all, together.
    std::vector<std::chrono::steady_clock::time_point> sent_at;  // A ring of the timed ones.
  };
  struct Subscriber {
    std::unique_ptr<Connection> connection;
    std::vector<std::uint64_t> next;  // The message that is to come from each publisher.
  };

  void OnPublish(Connection& connection, const Arrival& arrival) override;
  void OnAcknowledged(Connection& connection) override;
  void Pump(Publisher& publisher);
  void Send(Publisher& publisher);
  std::string TopicOf(std::size_t publisher) const;
  std::uint64_t Outstanding() const;

  Loop& loop_;
  const FlowOptions options_;
  const std::size_t copies_;  // Of each message.
  std::vector<Publisher> publishers_;
  std::vector<Subscriber> subscribers_;
  std::string payload_;
  bool sending_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t disorder_ = 0;
  Latencies latencies_;
};

}  // namespace bench
