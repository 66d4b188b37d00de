// Time that stands still until a test moves it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include <asio/io_context.hpp>

#include "mqttrpc/mqtt/clock.h"

namespace mqttrpc::testing {

// Drives `io`: everything under test runs inside Advance() and RunUntilQuiet(),
// on the calling thread, timers in the order of their deadlines. Reading the
// clock and arming timers works on any thread. Timers may outlive the clock;
// they do not fire then. Asio's own timers do not know of it.
class ManualClock final : public mqtt::Clock {
 public:
  // Borrows `io`. The time begins at an hour, so that tests may look back.
  explicit ManualClock(asio::io_context& io);
  ~ManualClock() override;

  mqtt::TimePoint Now() const override;
  std::unique_ptr<mqtt::Timer> NewTimer(asio::any_io_executor executor) override;

  // Runs what is ready and fires what is due until nothing is. With real
  // sockets, what their peers are about to send is not "ready" yet.
  void RunUntilQuiet();

  // Moves time on by `step`, stopping at each deadline on the way: costs what
  // fires, not how long it is.
  void Advance(mqtt::Duration step);

  // Moves time to the earliest deadline up to `limit` and runs until quiet; false,
  // and time stays, if there is none.
  bool AdvanceToNextAlarm(mqtt::TimePoint limit);

  // Runs, moving time on from alarm to alarm, until `done` says so; false if it did not
  // by `limit`, or nothing is left that could happen.
  bool RunUntil(const std::function<bool()>& done, mqtt::TimePoint limit);

  // When the next alarm is due; nothing if none is armed.
  std::optional<mqtt::TimePoint> next_alarm() const;

  // How many alarms are armed.
  std::size_t armed() const;

 private:
  struct State;
  class ManualTimer;

  bool FireNext(mqtt::TimePoint limit);

  asio::io_context& io_;
  const std::shared_ptr<State> state_;  // Shared with the timers.
};

}  // namespace mqttrpc::testing
