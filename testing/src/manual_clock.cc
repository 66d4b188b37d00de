#include "mqttrpc/testing/manual_clock.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include <asio/post.hpp>

namespace mqttrpc::testing {
namespace {

struct Alarm {
  explicit Alarm(asio::any_io_executor executor_in) : executor(std::move(executor_in)) {}

  const asio::any_io_executor executor;
  absl::AnyInvocable<void()> fire;  // Null: not armed. Used on the executor only.
  std::uint64_t armed = 0;          // Which Arm() counts.
};

using Key = std::pair<mqtt::TimePoint, std::uint64_t>;  // Equal deadlines: first armed, first fired.

}  // namespace

struct ManualClock::State {
  std::mutex mutex;
  mqtt::TimePoint now{std::chrono::hours(1)};
  std::uint64_t armed = 0;
  std::map<Key, std::shared_ptr<Alarm>> queue;
};

class ManualClock::ManualTimer final : public mqtt::Timer {
 public:
  ManualTimer(std::shared_ptr<State> state, asio::any_io_executor executor)
      : state_(std::move(state)), alarm_(std::make_shared<Alarm>(std::move(executor))) {}
  ~ManualTimer() override { Disarm(); }

  void Arm(mqtt::TimePoint when, absl::AnyInvocable<void()> fire) override {
    Disarm();
    if (when == mqtt::kNever) return;
    const std::lock_guard lock(state_->mutex);
    key_ = Key(when, ++state_->armed);
    alarm_->fire = std::move(fire);
    alarm_->armed = key_.second;
    state_->queue.emplace(key_, alarm_);
  }

  void Disarm() override {
    absl::AnyInvocable<void()> fire = std::exchange(alarm_->fire, nullptr);  // May own things; dies unlocked.
    const std::lock_guard lock(state_->mutex);
    alarm_->armed = 0;
    state_->queue.erase(key_);
  }

 private:
  const std::shared_ptr<State> state_;
  const std::shared_ptr<Alarm> alarm_;
  Key key_{};
};

ManualClock::ManualClock(asio::io_context& io) : io_(io), state_(std::make_shared<State>()) {}

ManualClock::~ManualClock() = default;

mqtt::TimePoint ManualClock::Now() const {
  const std::lock_guard lock(state_->mutex);
  return state_->now;
}

std::unique_ptr<mqtt::Timer> ManualClock::NewTimer(asio::any_io_executor executor) {
  return std::make_unique<ManualTimer>(state_, std::move(executor));
}

void ManualClock::RunUntilQuiet() {
  do {
    io_.restart();
    while (io_.poll() > 0) {
    }
  } while (FireNext(Now()));
}

void ManualClock::Advance(mqtt::Duration step) {
  const mqtt::TimePoint target = Now() + step;
  do {
    RunUntilQuiet();
  } while (FireNext(target));
  const std::lock_guard lock(state_->mutex);
  state_->now = std::max(state_->now, target);
}

bool ManualClock::AdvanceToNextAlarm(mqtt::TimePoint limit) {
  RunUntilQuiet();
  if (!FireNext(limit)) return false;
  RunUntilQuiet();
  return true;
}

bool ManualClock::RunUntil(const std::function<bool()>& done, mqtt::TimePoint limit) {
  RunUntilQuiet();
  while (!done()) {
    if (!AdvanceToNextAlarm(limit)) return false;
  }
  return true;
}

std::optional<mqtt::TimePoint> ManualClock::next_alarm() const {
  const std::lock_guard lock(state_->mutex);
  if (state_->queue.empty()) return std::nullopt;
  return state_->queue.begin()->first.first;
}

std::size_t ManualClock::armed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size();
}

// Posts the earliest alarm due by `limit`, moving time to its deadline.
bool ManualClock::FireNext(mqtt::TimePoint limit) {
  std::shared_ptr<Alarm> alarm;
  std::uint64_t armed = 0;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->queue.empty() || state_->queue.begin()->first.first > limit) return false;
    auto first = state_->queue.extract(state_->queue.begin());
    state_->now = std::max(state_->now, first.key().first);
    armed = first.key().second;
    alarm = std::move(first.mapped());
  }
  const asio::any_io_executor executor = alarm->executor;
  asio::post(executor, [state = state_, alarm = std::move(alarm), armed] {
    {
      const std::lock_guard lock(state->mutex);
      if (alarm->armed != armed) return;  // Disarmed meanwhile.
      alarm->armed = 0;
    }
    std::exchange(alarm->fire, nullptr)();
  });
  return true;
}

}  // namespace mqttrpc::testing
