#include "load/loop.h"

#include <algorithm>
#include <array>

#include <sys/epoll.h>
#include <unistd.h>

#include "load/connection.h"
#include "report/sample.h"

namespace bench {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), read_buffer_(64 * 1024) {
  if (epoll_ < 0) throw Void("epoll_create1 failed");
}

Loop::~Loop() { close(epoll_); }

void Loop::RunFor(nanoseconds duration) { RunTill(Clock::now() + duration); }

void Loop::RunTill(Clock::time_point end) {
  for (Clock::time_point now = Clock::now(); now < end; now = Clock::now()) Turn(end - now);
}

void Loop::RunUntil(const std::function<bool()>& done, const std::string& what, std::chrono::milliseconds patience) {
  const Clock::time_point end = Clock::now() + patience;
  while (!done()) {
    const Clock::time_point now = Clock::now();
    if (now >= end) throw Void("waited in vain for " + what);
    Turn(end - now);
  }
}

void Loop::Add(Connection& connection, int file) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, file, &event) != 0) throw Void("epoll_ctl failed");
}

void Loop::Remove(Connection& connection, int file) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, file, nullptr);
  std::erase(dirty_, &connection);
}

void Loop::WatchWriting(Connection& connection, int file, bool watch) {
  epoll_event event{};
  event.events = watch ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &connection;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, file, &event);
}

void Loop::Turn(nanoseconds longest) {
  // What was added since the last turn goes out before we sleep.
  writing_.swap(dirty_);
  for (Connection* connection : writing_) connection->WriteSome();
  writing_.clear();
  std::array<epoll_event, 256> events;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(longest);
  timespec wait{};
  wait.tv_sec = seconds.count();
  wait.tv_nsec = (longest - seconds).count();
  const int count = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
  for (int i = 0; i < count; ++i) {
    auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
    const auto what = events[static_cast<std::size_t>(i)].events;
    if ((what & EPOLLOUT) != 0) connection.WriteSome();
    if ((what & ~static_cast<unsigned>(EPOLLOUT)) != 0) connection.ReadSome();
  }
}

}  // namespace bench
