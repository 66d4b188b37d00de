// A thread's event loop without Asio in it.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <asio/any_io_executor.hpp>
#include <asio/execution.hpp>
#include <asio/execution_context.hpp>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "socket_poller.h"

namespace mqttrpc::mqtt {

// Sockets, timers and functions behind one epoll_wait(), for a thread that has nothing else
// to wait for: a round of socket events costs one system call beside those that read and
// write, where Asio's loop with a SocketPoller in it needs three
// (docs/decisions/0017-an-event-loop-for-shards.md). Linux.
//
// Its executor() runs functions like any other. SocketPoller::New() and
// SystemClock().NewTimer() know it and use the loop itself. Sockets and timers of Asio's
// work on it too, but Asio starts a thread to wait for them.
class EventLoop final : public asio::execution_context {
 public:
  class Executor;

  // Throws std::system_error if the system has no descriptor left.
  EventLoop();
  ~EventLoop();

  Executor executor();

  // Runs what is posted, due and ready until Stop(), in this thread. Not twice at a time.
  void Run();

  // Any thread. What has not run by then never does; it is destroyed with the loop.
  void Stop();

  // The loop's thread only:
  std::shared_ptr<SocketPoller> poller() const;
  std::unique_ptr<Timer> NewTimer();

 private:
  class Poller;
  class LoopTimer;
  using Function = absl::AnyInvocable<void()>;

  bool RunsHere() const;
  void Post(Function function);
  bool Take();
  bool RunTaken();
  bool RunDue();
  int Wait();
  void Wake();

  DeadlineQueue timers_;
  std::shared_ptr<Poller> poller_;
  int wake_ = -1;                // An eventfd.
  std::vector<Function> taken_;  // Run now; keeps its memory.

  std::mutex mutex_;
  std::vector<Function> posted_;  // Guarded, as is what follows.
  bool asleep_ = false;           // Or will be; whoever posts next wakes it.
  bool stopped_ = false;
};

// Posts to the loop; with blocking.possibly runs a function at once if it may. Copies are
// cheap, and valid as long as the loop.
class EventLoop::Executor {
 public:
  EventLoop& loop() const { return *loop_; }

  asio::execution_context& query(asio::execution::context_t) const noexcept { return *loop_; }
  asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept {
    return posts_ ? asio::execution::blocking_t(asio::execution::blocking.never)
                  : asio::execution::blocking_t(asio::execution::blocking.possibly);
  }
  Executor require(asio::execution::blocking_t::never_t) const noexcept { return Executor(*loop_, true); }
  Executor require(asio::execution::blocking_t::possibly_t) const noexcept { return Executor(*loop_, false); }

  template <typename F>
  void execute(F&& function) const {
    if (posts_ || !loop_->RunsHere()) return loop_->Post(std::forward<F>(function));
    std::decay_t<F> runs(std::forward<F>(function));
    runs();
  }

  friend bool operator==(const Executor& a, const Executor& b) noexcept {
    return a.loop_ == b.loop_ && a.posts_ == b.posts_;
  }
  friend bool operator!=(const Executor& a, const Executor& b) noexcept { return !(a == b); }

 private:
  friend class EventLoop;
  Executor(EventLoop& loop, bool posts) : loop_(&loop), posts_(posts) {}

  EventLoop* loop_;
  bool posts_;  // Whatever it is: nothing runs inside execute().
};

}  // namespace mqttrpc::mqtt
