// Streams that can go on on another thread.
#pragma once

#include <asio/any_io_executor.hpp>

#include "mqttrpc/mqtt/transport.h"

namespace mqttrpc::mqtt {

class SocketPoller;

// A broker finds out whose stream it is before it knows which of its threads that
// client belongs to. What was not read stays in the stream meanwhile.
class MovableTransport : public Transport {
 public:
  // On its executor, not from a callback, while nothing is being written: no callback
  // follows. After that it may be taken to another thread, Join() there, and Start() anew.
  virtual void Leave() = 0;

  // On `executor`, which is its own from now on. `poller` watches a socket; null: it
  // watches itself. False if the system refuses: the stream is lost.
  virtual bool Join(const asio::any_io_executor& executor, SocketPoller* poller) = 0;
};

}  // namespace mqttrpc::mqtt
