#include "event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <limits>
#include <system_error>

namespace mqttrpc::mqtt {
namespace {

thread_local const EventLoop* runs_here = nullptr;

[[noreturn]] void Fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

int NewEpoll() {
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) Fail("epoll_create1");
  return descriptor;
}

}  // namespace

class EventLoop::Poller final : public SocketPoller {
 public:
  explicit Poller(EventLoop& loop) : Poller(loop, NewEpoll()) {}
  ~Poller() override { close(epoll_); }

  using SocketPoller::BeginRound;
  using SocketPoller::EndRound;
  using SocketPoller::has_more;
  using SocketPoller::Serve;

  // An event of `descriptor` is served by nobody, but ends the wait. Whether that is possible.
  bool WakeBy(int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;  // So it need not be read.
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
  }

 private:
  Poller(EventLoop& loop, int epoll) : SocketPoller(epoll), loop_(loop), epoll_(epoll) {}

  asio::any_io_executor executor() const override { return loop_.executor(); }

  // The loop always looks.
  void AwaitEvents() override {}
  void RoundSoon() override {}
  void AwaitNothing() override {}

  EventLoop& loop_;
  const int epoll_;
};

class EventLoop::LoopTimer final : public Timer, public DeadlineQueue::Entry {
 public:
  explicit LoopTimer(DeadlineQueue& timers) : timers_(timers) {}
  ~LoopTimer() override { timers_.Cancel(*this); }

  void Arm(TimePoint when, absl::AnyInvocable<void()> fire) override {
    fire_ = std::move(fire);
    timers_.Schedule(*this, when);
  }
  void Disarm() override {
    timers_.Cancel(*this);
    fire_ = nullptr;
  }

  // It may end the timer.
  void Fire() { std::exchange(fire_, nullptr)(); }

 private:
  DeadlineQueue& timers_;
  absl::AnyInvocable<void()> fire_;
};

EventLoop::EventLoop() : poller_(std::make_shared<Poller>(*this)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) Fail("eventfd");
  if (poller_->WakeBy(wake_)) return;
  const int error = errno;
  close(wake_);
  errno = error;
  Fail("epoll_ctl");
}

// What it still holds may be the last to know a socket or a timer, or may post: it goes
// while all that is there.
EventLoop::~EventLoop() {
  shutdown();  // Asio's part.
  Stop();
  while (Take() || !taken_.empty()) taken_.clear();
  poller_ = nullptr;
  close(wake_);
}

EventLoop::Executor EventLoop::executor() { return {*this, false}; }

std::shared_ptr<SocketPoller> EventLoop::poller() const { return poller_; }

std::unique_ptr<Timer> EventLoop::NewTimer() { return std::make_unique<LoopTimer>(timers_); }

bool EventLoop::RunsHere() const { return runs_here == this; }

void EventLoop::Run() {
  const EventLoop* const outer = std::exchange(runs_here, this);
  while (Take()) {
    poller_->BeginRound();
    const bool ran = RunTaken();
    if (RunDue() || ran) {
      poller_->EndRound();
      poller_->BeginRound();
    }
    poller_->Serve(Wait());
    poller_->EndRound();
  }
  runs_here = outer;
}

// False once stopped.
bool EventLoop::Take() {
  const std::lock_guard lock(mutex_);
  asleep_ = false;
  taken_.swap(posted_);
  return !stopped_;
}

bool EventLoop::RunTaken() {
  if (taken_.empty()) return false;
  for (Function& each : taken_) std::exchange(each, nullptr)();
  taken_.clear();
  return true;
}

bool EventLoop::RunDue() {
  if (timers_.size() == 0) return false;
  const TimePoint now = SystemClock().Now();
  bool ran = false;
  // One that arms itself again at once has to wait for the next round.
  for (std::size_t left = timers_.size(); left > 0; --left) {
    auto* const due = timers_.PopDue(now);
    if (due == nullptr) break;
    static_cast<LoopTimer*>(due)->Fire();
    ran = true;
  }
  return ran;
}

// For how many milliseconds there is nothing to do but events; -1: for ever.
int EventLoop::Wait() {
  if (poller_->has_more()) return 0;
  {
    const std::lock_guard lock(mutex_);
    if (!posted_.empty() || stopped_) return 0;
    asleep_ = true;
  }
  const TimePoint next = timers_.Next();
  if (next == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - SystemClock().Now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

void EventLoop::Post(Function function) {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
    wakes = std::exchange(asleep_, false);
  }
  if (wakes) Wake();
}

void EventLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  Wake();
}

void EventLoop::Wake() {
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));  // Fails only if it is awake already.
}

}  // namespace mqttrpc::mqtt
