// Where a client does everything: one handler at a time.
#pragma once

#include <utility>
#include <variant>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>

#include "executor_target.h"

namespace mqttrpc::mqtt {

// A strand on the user's executor. Any thread may use it.
class ClientStrand {
 public:
  explicit ClientStrand(const asio::any_io_executor& inner)
      : strand_(StrandOn(inner)),
        executor_(std::visit([](const auto& strand) { return asio::any_io_executor(strand); }, strand_)),
        posting_(asio::require(executor_, asio::execution::blocking.never)) {}

  const asio::any_io_executor& executor() const { return executor_; }

  bool running_in_this_thread() const {
    return std::visit([](const auto& strand) { return strand.running_in_this_thread(); }, strand_);
  }

  // Runs `function` later, never before this returns. As asio::post(), which makes the
  // executor for it anew each time.
  template <typename Function>
  void Post(Function&& function) const {
    posting_.execute(std::forward<Function>(function));
  }

 private:
  using Plain = asio::strand<asio::io_context::executor_type>;
  using General = asio::strand<asio::any_io_executor>;
  using Strand = std::variant<Plain, General>;

  // A strand asks and copies the executor below it with each handler: that costs most of
  // a handler if its type is erased.
  static Strand StrandOn(const asio::any_io_executor& inner) {
    if (const auto* plain = TargetOf<asio::io_context::executor_type>(inner)) return Plain(*plain);
    return General(inner);
  }

  const Strand strand_;
  const asio::any_io_executor executor_;
  const asio::any_io_executor posting_;
};

}  // namespace mqttrpc::mqtt
