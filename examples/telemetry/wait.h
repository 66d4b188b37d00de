// A coroutine's wait on a clock that a test may move by hand.
#pragma once

#include <memory>
#include <utility>

#include <asio/awaitable.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/completion.h"

namespace demo::telemetry {

// Completes with true at `when`; with false as soon as the coroutine is cancelled.
inline asio::awaitable<bool> WaitUntil(mqttrpc::mqtt::Clock& clock, mqttrpc::mqtt::TimePoint when) {
  const std::shared_ptr<mqttrpc::mqtt::Timer> timer = clock.NewTimer(co_await asio::this_coro::executor);
  // Has a name because of GCC 12: docs/decisions/0006-coroutine-rules.md.
  const auto start = [timer, when](mqttrpc::mqtt::Completion<bool> done) {
    asio::cancellation_slot slot = done.slot();
    const auto shared = std::make_shared<mqttrpc::mqtt::Completion<bool>>(std::move(done));
    timer->Arm(when, [shared] { (*shared)(true); });
    if (!slot.is_connected()) return;
    slot.assign([timer, shared](asio::cancellation_type) {  // Armed again, the timer forgets the first.
      timer->Arm(mqttrpc::mqtt::TimePoint(), [shared] { (*shared)(false); });
    });
  };
  co_return co_await mqttrpc::mqtt::Initiate<bool>(asio::use_awaitable, start);
}

}  // namespace demo::telemetry
