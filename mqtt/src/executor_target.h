// Looks into an asio::any_io_executor.
#pragma once

#include <typeinfo>

#include <asio/any_io_executor.hpp>

namespace mqttrpc::mqtt {

// The executor in it if that is an `Executor`, else null. Asio's own target() does not check.
template <typename Executor>
const Executor* TargetOf(const asio::any_io_executor& executor) {
  return executor.target_type() == typeid(Executor) ? executor.target<Executor>() : nullptr;
}

}  // namespace mqttrpc::mqtt
