#include "mqttrpc/rpc/memory_metrics.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_replace.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc {
namespace {

double Seconds(mqtt::Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string LabelValue(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

void Describe(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  absl::StrAppend(&text, "# HELP ", mqtt::ToAbsl(name), " ", mqtt::ToAbsl(help), "\n");
  absl::StrAppend(&text, "# TYPE ", mqtt::ToAbsl(name), " ", mqtt::ToAbsl(type), "\n");
}

}  // namespace

MemoryMetrics::MemoryMetrics(mqtt::Duration first, double factor, std::size_t bounds) {
  double next = static_cast<double>(first.count());
  for (std::size_t i = 0; i < bounds; ++i, next *= factor) {
    bounds_.emplace_back(static_cast<mqtt::Duration::rep>(next));
  }
}

CallCounts& MemoryMetrics::CountsOf(const CallKind& kind) {
  const auto found = counts_.find(std::make_tuple(kind.side, kind.service, kind.method));
  if (found != counts_.end()) return found->second;
  return counts_[Key(kind.side, std::string(kind.service), std::string(kind.method))];
}

void MemoryMetrics::CallBegan(const CallKind& kind) {
  const std::lock_guard lock(mutex_);
  CallCounts& counts = CountsOf(kind);
  ++counts.began;
  ++counts.in_flight;
}

void MemoryMetrics::CallEnded(const CallKind& kind, absl::StatusCode status, mqtt::Duration took) {
  const std::lock_guard lock(mutex_);
  CallCounts& counts = CountsOf(kind);
  --counts.in_flight;
  LatencyHistogram& histogram = counts.ended[status];
  histogram.counts.resize(bounds_.size() + 1);
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), took);
  ++histogram.counts[static_cast<std::size_t>(bound - bounds_.begin())];
  ++histogram.count;
  histogram.sum += took;
}

CallCounts MemoryMetrics::Of(const CallKind& kind) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(std::make_tuple(kind.side, kind.service, kind.method));
  return found == counts_.end() ? CallCounts() : found->second;
}

std::string MemoryMetrics::PrometheusText() const {
  const std::lock_guard lock(mutex_);
  std::string started, in_flight, duration;
  Describe(started, "mqttrpc_calls_started_total", "counter", "Calls that have begun.");
  Describe(in_flight, "mqttrpc_calls_in_flight", "gauge", "Calls that have not ended.");
  Describe(duration, "mqttrpc_call_duration_seconds", "histogram", "Time from begin to end of calls, by status.");
  for (const auto& [key, counts] : counts_) {
    const auto& [side, service, method] = key;
    const std::string labels = absl::StrCat("side=\"", side == CallSide::kClient ? "client" : "server", "\",service=\"",
                                            LabelValue(service), "\",method=\"", LabelValue(method), "\"");
    absl::StrAppend(&started, "mqttrpc_calls_started_total{", labels, "} ", counts.began, "\n");
    absl::StrAppend(&in_flight, "mqttrpc_calls_in_flight{", labels, "} ", counts.in_flight, "\n");
    for (const auto& [status, histogram] : counts.ended) {
      const std::string all = absl::StrCat(labels, ",status=\"", absl::StatusCodeToString(status), "\"");
      std::uint64_t up_to = 0;
      for (std::size_t i = 0; i < bounds_.size(); ++i) {
        up_to += histogram.counts[i];
        absl::StrAppend(&duration, "mqttrpc_call_duration_seconds_bucket{", all, ",le=\"", Seconds(bounds_[i]), "\"} ",
                        up_to, "\n");
      }
      absl::StrAppend(&duration, "mqttrpc_call_duration_seconds_bucket{", all, ",le=\"+Inf\"} ", histogram.count, "\n");
      absl::StrAppendFormat(&duration, "mqttrpc_call_duration_seconds_sum{%s} %.9f\n", all, Seconds(histogram.sum));
      absl::StrAppend(&duration, "mqttrpc_call_duration_seconds_count{", all, "} ", histogram.count, "\n");
    }
  }
  return absl::StrCat(started, in_flight, duration);
}

}  // namespace mqttrpc
