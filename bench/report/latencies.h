// Times that were taken, and what of them is reported.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "report/sample.h"

namespace bench {

class Latencies {
 public:
  void Add(std::chrono::nanoseconds time) { times_.push_back(time); }
  void Add(const Latencies& others) { times_.insert(times_.end(), others.times_.begin(), others.times_.end()); }
  void Clear() { times_.clear(); }
  std::size_t count() const { return times_.size(); }

  // Microseconds; `share` of all times are less. NaN if there are none.
  double At(double share) {
    if (times_.empty()) return std::numeric_limits<double>::quiet_NaN();
    const auto index =
        std::min(times_.size() - 1, static_cast<std::size_t>(static_cast<double>(times_.size()) * share));
    const auto place = times_.begin() + static_cast<std::ptrdiff_t>(index);
    std::nth_element(times_.begin(), place, times_.end());
    return static_cast<double>(place->count()) / 1000;
  }

  // Adds "p50 us" and "p99 us".
  void Report(Sample& sample) {
    sample.Add("p50 us", At(0.5));
    sample.Add("p99 us", At(0.99));
  }

 private:
  std::vector<std::chrono::nanoseconds> times_;
};

}  // namespace bench
