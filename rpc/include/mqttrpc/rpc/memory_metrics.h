// Measurements of calls kept in memory, and written out as Prometheus reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "mqttrpc/rpc/call_metrics.h"

namespace mqttrpc {

// How long calls took: how many up to each bound, and in all.
struct LatencyHistogram {
  LatencyHistogram() = default;

  // One for each bound, which it includes, not counting those below it; one for the rest.
  std::vector<std::uint64_t> counts;
  std::uint64_t count = 0;
  mqtt::Duration sum{};
};

struct CallCounts {
  CallCounts() = default;

  std::uint64_t began = 0;
  std::uint64_t in_flight = 0;  // Now.
  std::map<absl::StatusCode, LatencyHistogram> ended;
};

// Any thread, behind one lock. Keeps a histogram for each side, method and status that it has seen,
// and never drops one.
class MemoryMetrics final : public MetricsSink {
 public:
  // Upper bounds: `first`, over 0, then each `factor` times the one before, over 1. 1 ms to 32.8 s
  // unless told.
  explicit MemoryMetrics(mqtt::Duration first = std::chrono::milliseconds(1), double factor = 2,
                         std::size_t bounds = 16);

  void CallBegan(const CallKind& kind) override;
  void CallEnded(const CallKind& kind, absl::StatusCode status, mqtt::Duration took) override;

  const std::vector<mqtt::Duration>& bounds() const { return bounds_; }
  // A copy; all zero if there was no such call.
  CallCounts Of(const CallKind& kind) const;

  // Prometheus' text format, version 0.0.4: mqttrpc_calls_started_total,
  // mqttrpc_calls_in_flight, mqttrpc_call_duration_seconds. To be served as
  // `text/plain; version=0.0.4`.
  std::string PrometheusText() const;

 private:
  using Key = std::tuple<CallSide, std::string, std::string>;

  CallCounts& CountsOf(const CallKind& kind);

  std::vector<mqtt::Duration> bounds_;  // Not changed after construction.
  mutable std::mutex mutex_;
  std::map<Key, CallCounts, std::less<>> counts_;
};

}  // namespace mqttrpc
