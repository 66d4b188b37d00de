// Byte streams: TCP, and an in-memory pipe. They move bytes and nothing else.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/mqtt/endpoint.h"

namespace mqttrpc::mqtt {

// One ordered, lossless byte stream both ways (MQTT-4.2.0-1).
//
// Everything happens on the transport's executor: calls into it, and its
// callbacks, which never run from inside such a call. Destroying the transport,
// also from a callback, drops the stream at once and ends the callbacks.
class Transport {
 public:
  // Receives what happens on the stream. Must outlive the transport or its Close().
  class Handler {
   public:
    // `bytes` were read to where BufferFor() said. What is the transport's own is borrowed
    // for the call only, so an idle stream needs no buffer. Never empty.
    virtual void OnBytes(std::span<const std::byte> bytes) = 0;

    // Where the next bytes are to go: a part of `offered`, the transport's own, or memory of
    // the handler's. At least a byte; what is not wanted yet stays with the peer. Asked right
    // before each read, so that nothing happens to the handler in between. Only says where,
    // and does not touch `offered`.
    virtual std::span<std::byte> BufferFor(std::span<std::byte> offered) { return offered; }

    // The last Write(), which had returned false, was taken whole: its buffers are free,
    // the next may follow.
    virtual void OnWritten() = 0;

    // The stream is over; the last callback. OkStatus if the peer closed it in
    // good order, else kUnavailable with the system's words.
    virtual void OnClosed(absl::Status why) = 0;

   protected:
    ~Handler() = default;
  };

  virtual ~Transport() = default;

  // Begins reading. Called once, before anything else.
  virtual void Start(Handler& handler) = 0;

  // Sends all of `gather` in order, in one system call where the stream allows. True:
  // it was taken whole at once, the next may follow, and no OnWritten() comes. False:
  // the next only after OnWritten(); the list is copied, the bytes it points at are
  // not: they must stay until then, or destruction.
  [[nodiscard]] virtual bool Write(std::span<const std::span<const std::byte>> gather) = 0;

  // Stops and resumes OnBytes; TCP's own window then slows the peer.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;

  // Ends the stream in good order: what was taken whole still reaches the
  // peer, what arrives is thrown away. No callback follows. The transport
  // may be destroyed at once after it.
  virtual void Close() = 0;

  // Whom it leads to, for logs: "127.0.0.1:4711", "memory".
  virtual std::string peer() const = 0;
};

// Opens streams to an endpoint; a client dials through one.
class Connector {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Transport>>)>;

  virtual ~Connector() = default;

  // Opens a stream whose callbacks run on `executor` and calls `done` there,
  // once, never from inside Connect. There is no time limit: give up by
  // destroying the returned attempt, after which `done` is not called.
  // Errors: kUnavailable (name not found, refused, unreachable).
  class Attempt {
   public:
    virtual ~Attempt() = default;
  };
  [[nodiscard]] virtual std::unique_ptr<Attempt> Connect(const Endpoint& endpoint, asio::any_io_executor executor,
                                                         Done done) = 0;
};

// Dials TCP: resolves the name and tries its addresses in turn. TCP_NODELAY is
// on. Any thread; lives for ever.
Connector& TcpConnector();

// The two ends of a pipe in memory. Each end's callbacks run on its own
// executor. What is written on one end is read at the other, in pieces of any size.
std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> MemoryTransportPair(asio::any_io_executor first,
                                                                                      asio::any_io_executor second);

}  // namespace mqttrpc::mqtt
