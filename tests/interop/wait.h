// Waiting in a coroutine, on any clock.
#pragma once

#include <memory>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/completion.h"

namespace mqttrpc::interop {

// Until `when`; false if it was cancelled before. `timer` outlives it.
inline asio::awaitable<bool> Alarm(mqtt::Timer& timer, mqtt::TimePoint when) {
  return mqtt::Initiate<bool>(asio::use_awaitable, [&timer, when](mqtt::Completion<bool> done) {
    asio::cancellation_slot slot = done.slot();
    auto waiting = std::make_shared<mqtt::Completion<bool>>(std::move(done));
    if (slot.is_connected()) {
      slot.assign([&timer, weak = std::weak_ptr(waiting)](asio::cancellation_type) {
        const auto cancelled = weak.lock();
        if (cancelled == nullptr) return;
        timer.Disarm();
        (*cancelled)(false);  // Destroys this lambda: nothing after it.
      });
    }
    timer.Arm(when, [waiting = std::move(waiting)] { (*waiting)(true); });
  });
}

// For as long as it says; false if it was cancelled before.
inline asio::awaitable<bool> WaitFor(mqtt::Clock& clock, mqtt::Duration duration) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const std::unique_ptr<mqtt::Timer> timer = clock.NewTimer(executor);
  const bool whole = co_await Alarm(*timer, clock.Now() + duration);
  co_return whole;
}

}  // namespace mqttrpc::interop
