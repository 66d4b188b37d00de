#include "handler_threads.h"

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include <asio/post.hpp>

#include "mqttrpc/mqtt/completion.h"

namespace mqttrpc::testing {

class HandlerThreads::Thread final : public mqtt::BlockingWait {
 public:
  explicit Thread(HandlerThreads& owner) : owner_(owner), thread_([this] { Work(); }) {}
  ~Thread() {
    task_ = nullptr;
    Switch(true);
    thread_.join();
  }

  // The test's thread. Returns when the task has ended or waits.
  void Begin(absl::AnyInvocable<void()> task) {
    task_ = std::move(task);
    Switch(true);
  }
  void Resume() { Switch(true); }
  bool idle() const { return !task_; }

  void Wake() override {
    asio::post(owner_.executor_, [this] { owner_.Resume(*this); });
  }
  void Sleep() override { Switch(false); }

 private:
  void Work() {
    mqtt::BlockingWait::OfThisThread() = this;
    Await(true);
    while (task_) {
      task_();
      task_ = nullptr;
      Switch(false);
    }
    Give(false);
  }

  // Lets the other side run until it lets us.
  void Switch(bool ours) {
    Give(ours);
    Await(!ours);
  }
  void Give(bool ours) {
    const std::lock_guard lock(mutex_);
    runs_ = ours;
    changed_.notify_all();
  }
  void Await(bool ours) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return runs_ == ours; });
  }

  HandlerThreads& owner_;
  absl::AnyInvocable<void()> task_;  // Of whoever runs.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool runs_ = false;
  std::thread thread_;  // Last: it uses the others.
};

HandlerThreads::HandlerThreads(asio::any_io_executor executor) : executor_(std::move(executor)) {}

HandlerThreads::~HandlerThreads() {
  if (waiting() == 0) return;
  std::fputs("mqttrpc::testing: a handler waits by kBlocking for what never comes\n", stderr);
  std::abort();
}

void HandlerThreads::Run(absl::AnyInvocable<void()> task) {
  if (idle_.empty()) {
    threads_.push_back(std::make_unique<Thread>(*this));
    idle_.push_back(threads_.back().get());
  }
  Thread& thread = *idle_.back();
  idle_.pop_back();
  thread.Begin(std::move(task));
  if (thread.idle()) idle_.push_back(&thread);
}

void HandlerThreads::Resume(Thread& thread) {
  thread.Resume();
  if (thread.idle()) idle_.push_back(&thread);
}

void ThreadedService::Serve(std::size_t method, ServerCall call) {
  threads_.Run([this, method, call = std::move(call)]() mutable {
    try {
      service_.Serve(method, std::move(call));
    } catch (...) {  // NOLINT(bugprone-empty-catch): the call that went with it has answered kInternal.
    }
  });
}

}  // namespace mqttrpc::testing
