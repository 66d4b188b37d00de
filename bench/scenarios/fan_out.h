// One message to many subscribers, of whom some take nothing.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace bench {

struct FanOutOptions {
  std::size_t subscribers = 1000;                  // Who read what they get.
  std::vector<std::size_t> frozen{0, 1, 10, 100};  // How many more do not, in turn.
  std::size_t payload_bytes = 4096;
  int messages_per_second = 20;
  std::chrono::milliseconds duration{5000};  // Of each measurement.
  int rounds = 3;
};

// Measures how long messages take to those who read, over mqttrpcd and over mosquitto,
// and prints a Markdown table. Returns the exit status.
int CompareFanOut(const FanOutOptions& options);

}  // namespace bench
