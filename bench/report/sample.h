// What one run of one scenario over one system gave.
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Metric {
  std::string name;  // With its unit: "p99 us", "broker us/message".
  double value = 0;  // NaN: could not be measured here.
};

struct Sample {
  std::vector<Metric> metrics;  // In the order of the table.
  std::uint64_t losses = 0;     // Messages or answers that never came.
  std::uint64_t disorder = 0;   // Those that came twice, or after a later one of the same publisher.
  std::string void_reason;      // Why the run counts for nothing; empty: it counts.

  void Add(std::string name, double value) { metrics.push_back({std::move(name), value}); }
};

// Thrown wherever a run cannot go on: a broker refuses, closes, or stops to answer.
// The runner makes it the sample's void_reason.
class Void : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace bench
