// Requests and answers with Response Topic and Correlation Data (MQTT 4.10).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "load/connection.h"
#include "report/latencies.h"
#include "report/sample.h"

namespace bench {

// Answers every request to its own name with the request's payload.
class Responder final : public Connection::Handler {
 public:
  Responder(Loop& loop, std::uint16_t port, const std::string& name, std::uint8_t qos);

 private:
  void OnPublish(Connection& connection, const Arrival& request) override;

  const std::uint8_t qos_;
  std::string properties_;
  Connection connection_;
};

struct RequesterOptions {
  std::string name;       // Also its Response Topic.
  std::string responder;  // Whom it asks.
  std::uint8_t qos = 0;
  std::size_t payload_bytes = 64;
};

// Expects the answers in the order of its requests.
class Requester final : public Connection::Handler {
 public:
  // Adds the time of each call to `latencies`, which outlives it.
  Requester(Loop& loop, std::uint16_t port, const RequesterOptions& options, Latencies& latencies);

  void Ask();                             // Sends one request.
  void KeepUnderWay(std::size_t window);  // From now on each answer gives rise to the next request.
  // Waits for the answers that are due, if it takes less than two seconds. Adds losses
  // and disorder to `sample`.
  void Stop(Sample& sample);

  std::uint64_t answered() const { return answered_; }

 private:
  void OnPublish(Connection& connection, const Arrival& answer) override;
  void OnAcknowledged(Connection& connection) override;
  void Pump();

  Loop& loop_;
  const RequesterOptions options_;
  Latencies& latencies_;
  const std::string payload_;
  std::string properties_;
  Connection connection_;
  std::size_t window_ = 0;
  std::deque<std::chrono::steady_clock::time_point> asked_at_;  // Of the calls under way.
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t next_ = 0;  // Whose answer is to come.
  std::uint64_t disorder_ = 0;
};

}  // namespace bench
