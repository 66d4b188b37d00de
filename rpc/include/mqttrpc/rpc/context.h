// What a handler may ask and say about the call it serves.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/rpc/metadata.h"

namespace mqttrpc {

// Belongs to one call and lives as long as its handler: until a plain function
// returned, or a coroutine ended. Used by the handler only, on executor().
class ServerContext {
 public:
  virtual ~ServerContext() = default;

  virtual std::string_view caller() const = 0;   // The caller's id, as its topic says it.
  virtual std::string_view service() const = 0;  // Full name.
  virtual std::string_view method() const = 0;
  virtual std::string_view instance() const = 0;  // Ours.
  virtual const Metadata& metadata() const = 0;   // The caller's.
  virtual int attempt() const = 0;                // From 1 (`rpc-att`).

  // On the client's clock; kNever if the call has none.
  virtual mqtt::TimePoint deadline() const = 0;

  // Whether the caller gave up or the deadline passed: nobody waits for the
  // answer any more.
  virtual bool cancelled() const = 0;

  // Calls `then` once when cancelled() becomes true, at once if it is, and not
  // after the handler ended. For a coroutine it runs on executor(); for a plain
  // function that runs elsewhere than on the client's executor it comes from
  // there, at the same time as the function: lock nothing in it that the handler
  // holds while it calls OnCancel(). Coroutines seldom need it: what they await
  // is cancelled by itself.
  virtual void OnCancel(absl::AnyInvocable<void()> then) = 0;

  // Sent with the reply, also with an error.
  virtual Metadata& reply_metadata() = 0;

  // What the handler runs on.
  virtual asio::any_io_executor executor() const = 0;
};

}  // namespace mqttrpc
