#include <unistd.h>

#include <cerrno>
#include <utility>

#include "socket_poller.h"
#include "socket_watch.h"

namespace mqttrpc::mqtt {
namespace {

using asio::ip::tcp;

class AsioSocketWatch final : public SocketWatch {
 public:
  // `asked_to_write`: since Asio has the socket, which then was waited on to be connected.
  AsioSocketWatch(tcp::socket socket, bool asked_to_write)
      : state_(std::make_shared<State>(std::move(socket), asked_to_write)) {
    asio::error_code ignored;
    state_->socket.native_non_blocking(true, ignored);
  }
  ~AsioSocketWatch() override { Close(); }

  int descriptor() const override { return state_->socket.is_open() ? state_->native() : -1; }
  asio::any_io_executor executor() const override { return state_->socket.get_executor(); }

  void AwaitReadable(std::shared_ptr<Target> target) override {
    if (state_->asked_to_write && !state_->reading && !state_->writing) Renew();
    Await(tcp::socket::wait_read, &State::reading, &Target::OnReadable, std::move(target));
  }
  void AwaitWritable(std::shared_ptr<Target> target) override {
    state_->asked_to_write = true;
    Await(tcp::socket::wait_write, &State::writing, &Target::OnWritable, std::move(target));
  }

  void OnDrained() override {}  // Asio looks anew for every wait.

  void Close() override {
    asio::error_code ignored;
    state_->socket.close(ignored);
  }

  int Release() override {
    asio::error_code error;
    const int descriptor = state_->socket.release(error);
    return error ? -1 : descriptor;
  }

 private:
  // Handlers of waits that were cancelled come after the watch is gone.
  struct State {
    State(tcp::socket socket_in, bool asked_to_write_in)
        : socket(std::move(socket_in)), asked_to_write(asked_to_write_in) {}
    int native() { return socket.native_handle(); }

    tcp::socket socket;
    bool reading = false;  // Somebody waits for that.
    bool writing = false;
    bool asked_to_write;  // See Renew().
  };

  // What Asio once was asked for it asks the system for with every wait, and is told at once
  // that the socket can be written to: another turn of the event loop, for nothing, with each
  // read. So it forgets the socket and gets it as a new one.
  void Renew() {
    asio::error_code error;
    const int descriptor = state_->socket.release(error);
    if (error) return;
    state_->asked_to_write = false;
    state_->socket.assign(tcp::v4(), descriptor, error);  // Or another: we ask for nothing that depends on it.
    if (error) close(descriptor);                         // The next wait ends at once, and the read after it fails.
  }

  void Await(tcp::socket::wait_type what, bool State::* waiting, void (Target::*tell)(),
             std::shared_ptr<Target> target) {
    if (std::exchange((*state_).*waiting, true)) return;
    state_->socket.async_wait(what,
                              [state = state_, waiting, tell, who = std::move(target)](const asio::error_code& error) {
                                (*state).*waiting = false;
                                if (error != asio::error::operation_aborted) ((*who).*tell)();
                              });
  }

  const std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<SocketWatch> NewAsioSocketWatch(tcp::socket socket) {
  return std::make_unique<AsioSocketWatch>(std::move(socket), true);
}

std::unique_ptr<SocketWatch> WatchSocket(int descriptor, const asio::any_io_executor& executor, SocketPoller* poller) {
  if (poller != nullptr) return poller->Watch(descriptor);
  tcp::socket socket(executor);
  asio::error_code error;
  socket.assign(tcp::v4(), descriptor, error);  // See Renew().
  if (!error) return std::make_unique<AsioSocketWatch>(std::move(socket), false);
  close(descriptor);
  errno = error.value();
  return nullptr;
}

}  // namespace mqttrpc::mqtt
