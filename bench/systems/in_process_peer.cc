#include <memory>
#include <thread>
#include <utility>

#include <asio/executor_work_guard.hpp>

#include "systems/in_process_stack.h"
#include "systems/peer.h"

namespace bench {
namespace {

// Everything on one thread.
class InProcessPeer final : public Peer {
 public:
  explicit InProcessPeer(std::size_t payload_bytes)
      : stack_(payload_bytes), work_(asio::make_work_guard(stack_.io())), thread_([this] { stack_.io().run(); }) {}

  ~InProcessPeer() override {
    stack_.io().stop();
    thread_.join();
  }

  void StartCall(std::size_t, Done done) override { stack_.Call(std::move(done)); }

 private:
  InProcessStack stack_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Peer> NewInProcessPeer(std::size_t payload_bytes) {
  return std::make_unique<InProcessPeer>(payload_bytes);
}

}  // namespace bench
