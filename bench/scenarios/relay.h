// What it costs the system to carry bytes from one socket to another, at the least.
#pragma once

#include <chrono>

namespace bench {

// Carries bytes for about `duration`. Returns the carrier's CPU time in microseconds for
// each byte: it reads and writes 64 KiB at a time and looks at nothing.
double RelayMicroseconds(std::chrono::milliseconds duration);

}  // namespace bench
