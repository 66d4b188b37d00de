#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>

#include "event_loop.h"
#include "executor_target.h"
#include "socket_poller.h"

namespace mqttrpc::mqtt {
namespace {

// Inside an event loop of Asio's, which watches the epoll. A round of events costs three
// system calls, however many sockets have some: Asio's to wait, ours to look, and Asio's to
// watch again.
class AsioSocketPoller final : public SocketPoller {
 public:
  explicit AsioSocketPoller(asio::posix::stream_descriptor epoll)
      : SocketPoller(epoll.native_handle()), epoll_(std::move(epoll)) {}

 private:
  asio::any_io_executor executor() const override {
    return const_cast<asio::posix::stream_descriptor&>(epoll_).get_executor();
  }

  void AwaitEvents() override {
    if (waiting_ || !has_sockets()) return;
    waiting_ = true;
    epoll_.async_wait(asio::posix::stream_descriptor::wait_read, [self = Self()](const asio::error_code&) {
      self->waiting_ = false;
      self->Round();
    });
  }

  // Behind what else is ready to run.
  void RoundSoon() override {
    if (std::exchange(posted_, true)) return;
    asio::post(epoll_.get_executor(), [self = Self()] {
      self->posted_ = false;
      self->Round();
    });
  }

  // An event loop without work may end.
  void AwaitNothing() override {
    asio::error_code ignored;
    epoll_.cancel(ignored);
  }

  void Round() {
    BeginRound();
    Serve(0);
    EndRound();
    if (has_more()) {
      RoundSoon();
    } else {
      AwaitEvents();
    }
  }

  std::shared_ptr<AsioSocketPoller> Self() { return std::static_pointer_cast<AsioSocketPoller>(shared_from_this()); }

  asio::posix::stream_descriptor epoll_;
  bool waiting_ = false;
  bool posted_ = false;
};

}  // namespace

std::shared_ptr<SocketPoller> SocketPoller::New(const asio::any_io_executor& executor) {
  if (const auto* ours = TargetOf<EventLoop::Executor>(executor)) return ours->loop().poller();
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) return nullptr;
  asio::posix::stream_descriptor epoll(executor);
  asio::error_code error;
  epoll.assign(descriptor, error);
  if (!error) return std::make_shared<AsioSocketPoller>(std::move(epoll));
  close(descriptor);
  return nullptr;
}

}  // namespace mqttrpc::mqtt
