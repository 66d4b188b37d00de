// Tells when a connected socket can be read from or written to.
#pragma once

#include <memory>

#include <asio/any_io_executor.hpp>
#include <asio/ip/tcp.hpp>

namespace mqttrpc::mqtt {

class SocketPoller;

// Owns a connected, non-blocking socket; reading and writing it is its user's. Or one that
// listens: it is readable when somebody is to be accepted. One executor, which runs one
// handler at a time.
class SocketWatch {
 public:
  // Is called on the executor, never from inside a call into the watch.
  class Target {
   public:
    virtual void OnReadable() = 0;  // Also at the stream's end, and after an error.
    virtual void OnWritable() = 0;  // Also after an error.

   protected:
    ~Target() = default;
  };

  virtual ~SocketWatch() = default;

  virtual int descriptor() const = 0;                  // -1 once closed.
  virtual asio::any_io_executor executor() const = 0;  // While its event loop lives.

  // Each asks for one call of `target`, always the same one, which is kept alive until
  // then, and perhaps until Close(). Asking again before changes nothing.
  virtual void AwaitReadable(std::shared_ptr<Target> target) = 0;
  virtual void AwaitWritable(std::shared_ptr<Target> target) = 0;

  // Say so at once when a read has taken all there was, or there was nothing: what comes
  // from then on is told, what was there before is not told again.
  virtual void OnDrained() = 0;

  // Closes the socket; nothing pending is told any more.
  virtual void Close() = 0;

  // The same, but the socket is the caller's from now on; -1 if there is none. Not from a
  // callback.
  virtual int Release() = 0;
};

// Watches through Asio, which asks the system anew for every wait. Takes over a socket that
// Asio has connected.
std::unique_ptr<SocketWatch> NewAsioSocketWatch(asio::ip::tcp::socket socket);

// Watches through `poller`, or through Asio on `executor` if that is null. Takes a socket over
// that is connected or listens; null, and it closed, if the system refuses: errno says why.
std::unique_ptr<SocketWatch> WatchSocket(int descriptor, const asio::any_io_executor& executor, SocketPoller* poller);

}  // namespace mqttrpc::mqtt
