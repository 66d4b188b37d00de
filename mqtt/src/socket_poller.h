// Many sockets of one thread behind one epoll: no system call to wait for one of them.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include "socket_watch.h"

struct epoll_event;

namespace mqttrpc::mqtt {

// Asio asks the system anew each time it is to wait for a socket, with a call of epoll_ctl()
// for every read. Here a socket is registered once for all, edge-triggered, and only the
// epoll itself is watched by Asio: that costs three system calls for a round of events,
// however many sockets have some (docs/decisions/0012-one-epoll-per-shard.md). Linux.
//
// All on one executor that runs one handler at a time. Lives as long as sockets are open,
// or its io_context does not end.
class SocketPoller final : public std::enable_shared_from_this<SocketPoller> {
 public:
  // Null if the system has no descriptor left for it.
  static std::shared_ptr<SocketPoller> New(const asio::any_io_executor& executor);

  explicit SocketPoller(asio::posix::stream_descriptor epoll);
  ~SocketPoller();
  SocketPoller(const SocketPoller&) = delete;
  SocketPoller& operator=(const SocketPoller&) = delete;

  // Takes a connected, non-blocking socket over. Null, and the socket closed, if the
  // system refuses.
  std::unique_ptr<SocketWatch> Watch(int descriptor);

  // Called at the end of each round, when all that was ready has had its turn. Null: nobody.
  void set_on_round(std::function<void()> on_round) { on_round_ = std::move(on_round); }
  bool in_round() const { return in_round_; }  // on_round() will come.

 private:
  class Socket;

  void Enqueue(Socket& socket);
  void Remove(Socket& socket);
  void Wait();
  void PostRound();
  void Round();

  static constexpr std::size_t kEvents = 128;

  asio::posix::stream_descriptor epoll_;
  std::function<void()> on_round_;
  std::vector<Socket*> sockets_;
  std::vector<Socket*> ready_;    // Go on without an event, in the next round.
  std::vector<Socket*> serving_;  // The same of this round. Null: closed meanwhile.
  std::unique_ptr<std::array<epoll_event, kEvents>> events_;
  std::size_t event_count_ = 0;
  bool in_round_ = false;
  bool waiting_ = false;
  bool posted_ = false;
};

}  // namespace mqttrpc::mqtt
