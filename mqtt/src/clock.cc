#include "mqttrpc/mqtt/clock.h"

#include <utility>

#include <asio/error_code.hpp>
#include <asio/steady_timer.hpp>

#include "event_loop.h"
#include "executor_target.h"

namespace mqttrpc::mqtt {
namespace {

class SystemTimer final : public Timer {
 public:
  explicit SystemTimer(const asio::any_io_executor& executor) : state_(std::make_shared<State>(executor)) {}
  ~SystemTimer() override { state_->Disarm(); }

  void Arm(TimePoint when, absl::AnyInvocable<void()> fire) override { state_->Arm(when, std::move(fire)); }
  void Disarm() override { state_->Disarm(); }

 private:
  // Outlives the timer while Asio still holds its wait.
  struct State : std::enable_shared_from_this<State> {
    explicit State(const asio::any_io_executor& executor) : timer(executor) {}

    void Arm(TimePoint to, absl::AnyInvocable<void()> then) {
      if (to == kNever) return Disarm();
      when = to;
      fire = std::move(then);
      // A wait that ends earlier starts the rest by itself: moving a deadline
      // into the future, which is what keepalives and calls do, costs nothing.
      if (waiting && timer.expiry() <= when) return;
      Wait();
    }

    void Disarm() {
      when = kNever;
      fire = nullptr;
      if (!waiting) return;
      waiting = false;
      ++wait;
      timer.cancel();
    }

    void Wait() {
      waiting = true;
      ++wait;
      timer.expires_at(when);
      timer.async_wait([self = shared_from_this(), mine = wait](const asio::error_code&) {
        if (self->waiting && self->wait == mine) self->Over();
      });
    }

    void Over() {
      if (std::chrono::steady_clock::now() < when) return Wait();
      waiting = false;
      when = kNever;
      std::exchange(fire, nullptr)();
    }

    asio::steady_timer timer;
    TimePoint when = kNever;
    absl::AnyInvocable<void()> fire;
    bool waiting = false;
    std::uint64_t wait = 0;  // Tells the wait that counts from cancelled ones.
  };

  std::shared_ptr<State> state_;
};

class TheSystemClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
  std::unique_ptr<Timer> NewTimer(asio::any_io_executor executor) override {
    if (const auto* ours = TargetOf<EventLoop::Executor>(executor)) return ours->loop().NewTimer();
    return std::make_unique<SystemTimer>(executor);
  }
};

}  // namespace

Clock& SystemClock() {
  static TheSystemClock& clock = *new TheSystemClock;  // Never destroyed: used until the last thread ends.
  return clock;
}

}  // namespace mqttrpc::mqtt
