// Posting to an io_context without its look at the system between two handlers.
#pragma once

#include <memory>

#include <asio/any_io_executor.hpp>

namespace mqttrpc::mqtt {

// An io_context asks the system for events after each handler. Where handlers call for one
// another in memory, that is much of what they cost. What is posted here waits in a queue of
// its own, of which one handler of the io_context runs some in a row: in the order in which
// all were posted, if one thread runs the io_context.
//
// On executors other than an io_context's and its strands' it is an ordinary post. Any thread.
class ChainedExecutor {
 public:
  class Target {
   public:
    // On the executor, never from inside Post().
    virtual void OnChained(int what) = 0;

   protected:
    ~Target() = default;
  };

  explicit ChainedExecutor(const asio::any_io_executor& executor);

  // What follows a handler that has run: with kPause first what else the event loop has to
  // do, as that one may take long.
  enum class Then { kGoOn, kPause };

  // Calls `target->OnChained(what)` later. It may overtake what is posted to the executor
  // otherwise.
  void Post(std::shared_ptr<Target> target, int what, Then then = Then::kGoOn) const;

 private:
  class Queue;

  asio::any_io_executor executor_;  // With a queue: at once if it may. Without: never.
  Queue* queue_ = nullptr;          // The io_context's.
};

}  // namespace mqttrpc::mqtt
