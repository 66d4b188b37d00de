// Many sockets of one thread behind one epoll: no system call to wait for one of them.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <asio/any_io_executor.hpp>

#include "socket_watch.h"

struct epoll_event;

namespace mqttrpc::mqtt {

// Asio asks the system anew each time it is to wait for a socket, with a call of epoll_ctl()
// for every read. Here a socket is registered once for all, edge-triggered
// (docs/decisions/0012-one-epoll-per-shard.md). Linux.
//
// Whoever derives from it knows when to look for events: an EventLoop, which waits for
// nothing else, or Asio, which watches the epoll as if it were one of its sockets.
//
// All on one executor that runs one handler at a time. Lives as long as sockets are open,
// or its event loop does not end.
class SocketPoller : public std::enable_shared_from_this<SocketPoller> {
 public:
  // The one of the EventLoop that `executor` belongs to, or one of its own that Asio
  // watches. Null if the system has no descriptor left for it.
  static std::shared_ptr<SocketPoller> New(const asio::any_io_executor& executor);

  virtual ~SocketPoller();
  SocketPoller(const SocketPoller&) = delete;
  SocketPoller& operator=(const SocketPoller&) = delete;

  // Takes a socket over that is connected or listens, and does not block. Null, and the
  // socket closed, if the system refuses.
  std::unique_ptr<SocketWatch> Watch(int descriptor);

  // Called at the end of each round, when all that was ready has had its turn. False if
  // somebody else is called already.
  bool set_on_round(std::function<void()> on_round) {
    if (on_round_) return false;
    on_round_ = std::move(on_round);
    return true;
  }
  bool in_round() const { return in_round_ && on_round_; }  // on_round() will come.

 protected:
  // `epoll` is the derived class's.
  explicit SocketPoller(int epoll);

  // A round: Serve() once between these.
  void BeginRound() { in_round_ = true; }
  void EndRound() {
    in_round_ = false;
    if (on_round_) on_round_();
  }
  // Tells all whose sockets have events, or go on without. Waits for the first event for up
  // to `milliseconds`; -1: for as long as it takes.
  void Serve(int milliseconds);
  // Whether another round has something to do already.
  bool has_more() const { return more_events_ || !ready_.empty(); }

  bool has_sockets() const { return !sockets_.empty(); }

 private:
  class Socket;

  virtual asio::any_io_executor executor() const = 0;
  // Outside of a round: one is wanted as soon as there are events, or at once, or not at all.
  virtual void AwaitEvents() = 0;
  virtual void RoundSoon() = 0;
  virtual void AwaitNothing() = 0;

  void Enqueue(Socket& socket);
  void Remove(Socket& socket);

  static constexpr std::size_t kEvents = 128;

  const int epoll_;
  std::function<void()> on_round_;
  std::vector<Socket*> sockets_;
  std::vector<Socket*> ready_;    // Go on without an event, in the next round.
  std::vector<Socket*> serving_;  // The same of this round. Null: closed meanwhile.
  std::unique_ptr<std::array<epoll_event, kEvents>> events_;
  std::size_t event_count_ = 0;
  bool more_events_ = false;
  bool in_round_ = false;
};

}  // namespace mqttrpc::mqtt
