#include "chained_executor.h"

#include <mutex>
#include <optional>
#include <utility>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>

#include "executor_target.h"
#include "fifo.h"

namespace mqttrpc::mqtt {
namespace {

// What else is ready to run waits for so many at most.
constexpr int kLongestRow = 16;

using Plain = asio::io_context::executor_type;
using Strand = asio::strand<Plain>;

asio::io_context* ContextOf(const asio::any_io_executor& executor) {
  if (const auto* plain = TargetOf<Plain>(executor)) return &plain->context();
  if (const auto* strand = TargetOf<Strand>(executor)) return &strand->get_inner_executor().context();
  return nullptr;
}

// A handler of the strand may run the io_context itself, and us with it.
bool IsInsideStrand(const asio::any_io_executor& executor) {
  const auto* strand = TargetOf<Strand>(executor);
  return strand != nullptr && strand->running_in_this_thread();
}

// Whether a target of this thread has thrown. Asio keeps what that was, and io_context::run()
// throws it when the handler has ended that ran the target.
thread_local bool has_thrown = false;

void Call(ChainedExecutor::Target& target, int what) {
  try {
    target.OnChained(what);
  } catch (...) {
    has_thrown = true;
    throw;
  }
}

}  // namespace

// What is posted and did not run yet. While there is any, a handler that will look here is
// posted to the io_context: whoever runs that meanwhile, another thread or a loop within a
// handler, gets on with it.
class ChainedExecutor::Queue final : public asio::execution_context::service {
 public:
  using key_type = Queue;
  static asio::execution_context::id id;

  explicit Queue(asio::execution_context& context)
      : service(context), context_(static_cast<asio::io_context&>(context)) {}

  // After shutdown() nothing runs any more.
  void Push(asio::any_io_executor executor, std::shared_ptr<Target> target, int what, Then then) {
    const std::lock_guard lock(mutex_);
    if (shut_down_) return;
    entries_.push({std::move(executor), std::move(target), what, then});
    PostRow();
  }

 private:
  struct Entry {
    // Runs it, on its executor. The target may end with that.
    void Run() && {
      if (IsInsideStrand(executor)) executor = asio::require(executor, asio::execution::blocking.never);
      executor.execute([target = std::move(target), what = what] { Call(*target, what); });
    }

    asio::any_io_executor executor;
    std::shared_ptr<Target> target;
    int what;
    Then then;
  };

  // Drops what is left, as an io_context drops its handlers. A target may end after the
  // lock, and only then.
  void shutdown() override {
    Fifo<Entry> dropped;
    const std::unique_lock lock(mutex_);
    std::swap(dropped, entries_);
    shut_down_ = true;
  }

  // Locked.
  void PostRow() {
    if (posted_) return;
    asio::post(context_, [this] { RunRow(); });
    posted_ = true;
  }

  void RunRow() {
    {
      const std::lock_guard lock(mutex_);
      posted_ = false;
    }
    for (int left = kLongestRow; left > 0; --left) {
      std::optional<Entry> next = Take();
      if (!next) return;
      const Then then = next->then;
      has_thrown = false;
      std::move(*next).Run();
      if (has_thrown || then == Then::kPause || context_.stopped()) return;
    }
  }

  std::optional<Entry> Take() {
    const std::lock_guard lock(mutex_);
    if (entries_.empty()) return std::nullopt;
    if (entries_.size() > 1) PostRow();  // First, as it may throw.
    return entries_.pop();
  }

  asio::io_context& context_;
  std::mutex mutex_;
  Fifo<Entry> entries_;
  bool posted_ = false;
  bool shut_down_ = false;
};

asio::execution_context::id ChainedExecutor::Queue::id;

ChainedExecutor::ChainedExecutor(const asio::any_io_executor& executor) {
  if (asio::io_context* const context = ContextOf(executor)) {
    queue_ = &asio::use_service<Queue>(*context);
    executor_ = asio::prefer(executor, asio::execution::blocking.possibly);
  } else {
    executor_ = asio::require(executor, asio::execution::blocking.never);
  }
}

void ChainedExecutor::Post(std::shared_ptr<Target> target, int what, Then then) const {
  if (queue_ != nullptr) return queue_->Push(executor_, std::move(target), what, then);
  executor_.execute([target = std::move(target), what] { target->OnChained(what); });
}

}  // namespace mqttrpc::mqtt
