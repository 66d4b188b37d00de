// How asynchronous operations end: completion tokens, type-erased below.
//
// Every operation of Client, Channel and the stubs takes a token last, and completes
// with one result, once:
//
//   auto code = co_await client.Publish(message);                      // DefaultToken
//   client.Publish(message, [](absl::StatusOr<ReasonCode> code) {...});  // a callback
//   auto later = client.Publish(message, asio::use_future);            // a std::future
//   auto code = client.Publish(message, kBlocking);                    // waits here
//
// A callback runs on the token's associated executor (asio::bind_executor), without one
// where the work was done. A token with a cancellation slot ends its operation early:
// it completes with kCancelled.
#pragma once

#include <future>
#include <type_traits>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/use_awaitable.hpp>

namespace mqttrpc::mqtt {

// What public operations do without a token: they are awaited.
using DefaultToken = asio::use_awaitable_t<>;

// A completion token that waits for the result on the calling thread. Deadlocks
// on the thread that does the work: never use it in a handler or a coroutine.
struct BlockingToken {};
inline constexpr BlockingToken kBlocking{};

// How a thread of a test kit waits by kBlocking; all others just sleep.
class BlockingWait {
 public:
  // Null: an ordinary thread.
  static BlockingWait*& OfThisThread() {
    thread_local BlockingWait* wait = nullptr;
    return wait;
  }

  virtual void Wake() = 0;   // Any thread; once for each Sleep(), perhaps before it.
  virtual void Sleep() = 0;  // Returns after Wake().

 protected:
  ~BlockingWait() = default;
};

// The far end of one pending operation. Call it once, from any thread; it hands
// the result to the token's own executor. Its slot asks for an early end. It is a token
// itself, handed on as it is: the cheapest one, for a callback that runs where the work
// was done.
template <typename Result>
class Completion {
 public:
  Completion() = default;
  explicit Completion(absl::AnyInvocable<void(Result)> finish, asio::cancellation_slot slot = {})
      : finish_(std::move(finish)), slot_(slot) {}

  void operator()(Result result) { std::exchange(finish_, nullptr)(std::move(result)); }
  explicit operator bool() const { return static_cast<bool>(finish_); }

  // Not connected if the token has none. Assign to it on the initiating thread,
  // before the operation is handed on. The operation's end clears that of another token;
  // whoever passed the Completion itself may emit later, to no effect.
  asio::cancellation_slot slot() const { return slot_; }

 private:
  absl::AnyInvocable<void(Result)> finish_;
  asio::cancellation_slot slot_;
};

// For operations of your own. Starts one whose result goes to `token`: calls
// `start(Completion<Result>, args...)` when the token says so; returns what the token
// makes of it (an awaitable, a future, the result, nothing). Args are moved or copied
// into it, so a lazy token may start it later.
template <typename Result, typename Token, typename Start, typename... Args>
auto Initiate(Token&& token, Start start, Args&&... args) {
  if constexpr (std::is_same_v<std::remove_cvref_t<Token>, Completion<Result>>) {
    return start(std::forward<Token>(token), std::forward<Args>(args)...);
  } else {
    return asio::async_initiate<Token, void(Result)>(
        [start = std::move(start)](auto handler, auto... forwarded) mutable {
          auto executor = asio::get_associated_executor(handler);
          asio::cancellation_slot slot = asio::get_associated_cancellation_slot(handler);
          auto finish = [handler = std::move(handler), work = asio::make_work_guard(executor),
                         slot](Result result) mutable {
            auto on = work.get_executor();
            asio::dispatch(
                on, [handler = std::move(handler), work = std::move(work), slot, result = std::move(result)]() mutable {
                  if (slot.is_connected()) slot.clear();
                  work.reset();
                  std::move(handler)(std::move(result));
                });
          };
          start(Completion<Result>(std::move(finish), slot), std::move(forwarded)...);
        },
        token, std::forward<Args>(args)...);
  }
}

}  // namespace mqttrpc::mqtt

// What makes kBlocking a completion token.
template <typename Result>
class asio::async_result<mqttrpc::mqtt::BlockingToken, void(Result)> {
 public:
  using return_type = Result;

  template <typename Initiation, typename... Args>
  static Result initiate(Initiation&& initiation, mqttrpc::mqtt::BlockingToken, Args&&... args) {
    std::promise<Result> promise;
    std::future<Result> result = promise.get_future();
    mqttrpc::mqtt::BlockingWait* const wait = mqttrpc::mqtt::BlockingWait::OfThisThread();
    std::forward<Initiation>(initiation)(
        [&promise, wait](Result value) {
          promise.set_value(std::move(value));
          if (wait != nullptr) wait->Wake();
        },
        std::forward<Args>(args)...);
    if (wait != nullptr) wait->Sleep();
    return result.get();
  }
};
