// All that a client, a broker or a channel takes from the world around it.
#pragma once

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/log.h"
#include "mqttrpc/mqtt/random.h"

namespace mqttrpc::mqtt {

// Borrowed: each must outlive what it is given to, and the executor's last run
// after that: a client's end, for one, is posted there. Tests put in a manual clock
// and a seed; the defaults are the system's, and no log.
struct Environment {
  Environment() = default;

  Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
  LogSink* log = &NoLog();
};

}  // namespace mqttrpc::mqtt
