// What Run() of World and LocalLink do. Users call those.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

namespace mqttrpc::testing::internal {

// Runs `operation` for as long as `until(predicate)` runs; nothing if it has not ended by
// then: it is cancelled. Rethrows what it throws.
template <typename T, typename Until>
std::optional<T> RunToEnd(asio::io_context& io, asio::awaitable<T> operation, Until until) {
  struct State {
    std::optional<T> result;
    std::exception_ptr thrown;
    asio::cancellation_signal cancel;
  };
  auto state = std::make_shared<State>();  // The operation may outlive this call.
  asio::co_spawn(io, std::move(operation),
                 asio::bind_cancellation_slot(state->cancel.slot(), [state](std::exception_ptr thrown, T result) {
                   state->thrown = std::move(thrown);
                   state->result.emplace(std::move(result));
                 }));
  if (!until([&] { return state->result.has_value(); })) {
    state->cancel.emit(asio::cancellation_type::all);
    return std::nullopt;
  }
  if (state->thrown) std::rethrow_exception(state->thrown);
  return std::move(state->result);
}

// The same for a callback, which is not cancelled.
template <typename T, typename Start, typename Until>
std::optional<T> RunToEnd(Start&& start, Until until) {
  auto result = std::make_shared<std::optional<T>>();
  std::forward<Start>(start)(absl::AnyInvocable<void(T)>([result](T value) { result->emplace(std::move(value)); }));
  if (!until([&] { return result->has_value(); })) return std::nullopt;
  return std::move(*result);
}

}  // namespace mqttrpc::testing::internal
