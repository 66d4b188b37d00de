#include "socket_poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace mqttrpc::mqtt {

// Knows from the events what its socket is ready for.
class SocketPoller::Socket final : public SocketWatch {
 public:
  Socket(SocketPoller& poller, int descriptor)
      : poller_(&poller), index_(static_cast<std::uint32_t>(poller.sockets_.size())), descriptor_(descriptor) {}
  ~Socket() override { Close(); }

  int descriptor() const override { return descriptor_; }
  asio::any_io_executor executor() const override {
    return poller_ == nullptr ? asio::any_io_executor() : poller_->executor();
  }

  void AwaitReadable(std::shared_ptr<Target> target) override {
    if (poller_ == nullptr) return;
    if (target_ == nullptr) target_ = std::move(target);
    wants_read_ = true;
    if (readable_) poller_->Enqueue(*this);
  }

  void AwaitWritable(std::shared_ptr<Target> target) override {
    if (poller_ == nullptr) return;
    if (target_ == nullptr) target_ = std::move(target);
    wants_write_ = true;
    if (broken_) poller_->Enqueue(*this);  // No event tells of an error twice.
  }

  void OnDrained() override { readable_ = ended_; }

  void Close() override {
    if (const int descriptor = Unhook(); descriptor >= 0) close(descriptor);
    Forget();
  }

  int Release() override {
    const int descriptor = Unhook();
    Forget();
    return descriptor;
  }

 private:
  friend class SocketPoller;

  // Out of the epoll by name: to close it is not enough while a child process has it too.
  int Unhook() {
    if (descriptor_ >= 0 && poller_ != nullptr) {
      epoll_ctl(poller_->epoll_, EPOLL_CTL_DEL, descriptor_, nullptr);
      poller_->Remove(*this);
    }
    return std::exchange(descriptor_, -1);
  }

  void Forget() {
    poller_ = nullptr;
    wants_read_ = wants_write_ = false;
    const std::shared_ptr<Target> last = std::move(target_);  // May own us: nothing after this.
  }

  void OnEvents(std::uint32_t events) {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) broken_ = true;
    if ((events & EPOLLRDHUP) != 0 || broken_) ended_ = true;
    if ((events & EPOLLIN) != 0 || ended_) readable_ = true;
    writable_ = (events & EPOLLOUT) != 0 || broken_;
    Serve();
  }

  void Serve() {
    const std::shared_ptr<Target> target = target_;  // It may close us.
    if (readable_ && std::exchange(wants_read_, false)) target->OnReadable();
    if ((writable_ || broken_) && std::exchange(wants_write_, false)) {
      writable_ = false;
      target->OnWritable();
    }
  }

  SocketPoller* poller_;  // Null once closed, or if the poller is gone.
  std::shared_ptr<Target> target_;
  std::uint32_t index_;  // Among the poller's.
  int descriptor_;
  bool readable_ = false;  // As far as is known: until a read finds no more.
  bool writable_ = false;  // Since the last time that somebody wanted to know.
  bool ended_ = false;     // Nothing more comes: reading tells how it ended.
  bool broken_ = false;    // In both directions: writing tells it too.
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool queued_ = false;
};

SocketPoller::SocketPoller(int epoll) : epoll_(epoll), events_(std::make_unique<std::array<epoll_event, kEvents>>()) {}

// With its event loop: nothing is told any more.
SocketPoller::~SocketPoller() {
  std::vector<std::shared_ptr<SocketWatch::Target>> targets;  // Go after what they own is unhooked.
  for (Socket* socket : sockets_) {
    socket->poller_ = nullptr;
    targets.push_back(std::move(socket->target_));
  }
}

std::unique_ptr<SocketWatch> SocketPoller::Watch(int descriptor) {
  auto socket = std::make_unique<Socket>(*this, descriptor);
  sockets_.push_back(socket.get());
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = socket.get();
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) return nullptr;
  AwaitEvents();
  return socket;
}

void SocketPoller::Remove(Socket& socket) {
  sockets_.back()->index_ = socket.index_;
  std::swap(sockets_[socket.index_], sockets_.back());
  sockets_.pop_back();
  for (std::size_t i = 0; i < event_count_; ++i) {
    if ((*events_)[i].data.ptr == &socket) (*events_)[i].data.ptr = nullptr;
  }
  std::erase(ready_, &socket);
  std::replace(serving_.begin(), serving_.end(), &socket, static_cast<Socket*>(nullptr));
  if (sockets_.empty()) AwaitNothing();
}

void SocketPoller::Enqueue(Socket& socket) {
  if (std::exchange(socket.queued_, true)) return;
  ready_.push_back(&socket);
  if (!in_round_) RoundSoon();
}

void SocketPoller::Serve(int milliseconds) {
  serving_.swap(ready_);
  const int count = epoll_wait(epoll_, events_->data(), kEvents, milliseconds);
  event_count_ = static_cast<std::size_t>(std::max(count, 0));
  more_events_ = event_count_ == kEvents;
  for (std::size_t i = 0; i < event_count_; ++i) {
    const epoll_event event = (*events_)[i];
    if (event.data.ptr != nullptr) static_cast<Socket*>(event.data.ptr)->OnEvents(event.events);
  }
  event_count_ = 0;
  for (Socket*& each : serving_) {
    if (each == nullptr) continue;
    Socket& socket = *std::exchange(each, nullptr);
    socket.queued_ = false;
    socket.Serve();
  }
  serving_.clear();
}

}  // namespace mqttrpc::mqtt
