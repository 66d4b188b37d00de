// Injected time. Nothing else in this project reads a clock or starts a timer.
#pragma once

#include <chrono>
#include <memory>

#include <absl/functional/any_invocable.h>
#include <asio/any_io_executor.hpp>

namespace mqttrpc::mqtt {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

// Never comes.
inline constexpr TimePoint kNever = TimePoint::max();

// One alarm that can be set again and again. Used on one executor only.
class Timer {
 public:
  virtual ~Timer() = default;  // Disarms: `fire` is not called afterwards.

  // Calls `fire` once on the timer's executor, at or after `when`; never from
  // inside Arm. Replaces what was armed before. kNever disarms.
  virtual void Arm(TimePoint when, absl::AnyInvocable<void()> fire) = 0;
  virtual void Disarm() = 0;
};

// Where time comes from: the system, or a test that moves it by hand.
class Clock {
 public:
  virtual ~Clock() = default;

  // Any thread. Never goes backwards.
  virtual TimePoint Now() const = 0;

  // A timer whose callbacks run on `executor`. The clock must outlive it.
  virtual std::unique_ptr<Timer> NewTimer(asio::any_io_executor executor) = 0;
};

// std::chrono::steady_clock and timers of the executor's event loop. Any thread; lives for ever.
Clock& SystemClock();

}  // namespace mqttrpc::mqtt
