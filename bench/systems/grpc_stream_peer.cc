#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "echo_stream.grpc.pb.h"
#include "systems/grpc_channel.h"
#include "systems/peer.h"

namespace bench {
namespace {

// One stream. gRPC allows one write and one read at a time.
class Stream final : public grpc::ClientBidiReactor<v1::Payload, v1::Payload> {
 public:
  Stream(const std::string& address, const v1::Payload& request)
      : request_(request), stub_(v1::EchoStream::NewStub(ChannelTo(address))) {
    stub_->async()->Echo(&context_, this);
    AddHold();  // Writes are started from outside its reactions.
    StartRead(&reply_);
    grpc::ClientBidiReactor<v1::Payload, v1::Payload>::StartCall();
  }

  ~Stream() override {
    context_.TryCancel();
    RemoveHold();
    std::unique_lock lock(mutex_);
    over_.wait(lock, [this] { return is_over_; });
  }

  void Ask(Peer::Done done) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(done));
    ++unwritten_;
    WriteNext();
  }

 private:
  void WriteNext() {
    if (writing_ || unwritten_ == 0) return;
    writing_ = true;
    --unwritten_;
    StartWrite(&request_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (ok) WriteNext();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    Peer::Done done;
    {
      const std::lock_guard lock(mutex_);
      done = std::move(waiting_.front());
      waiting_.pop_front();
    }
    StartRead(&reply_);
    done(true);
  }

  void OnDone(const grpc::Status&) override {
    std::deque<Peer::Done> failed;
    {
      const std::lock_guard lock(mutex_);
      failed.swap(waiting_);
    }
    for (Peer::Done& done : failed) done(false);
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    over_.notify_all();
  }

  const v1::Payload& request_;
  std::unique_ptr<v1::EchoStream::Stub> stub_;
  grpc::ClientContext context_;
  v1::Payload reply_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::deque<Peer::Done> waiting_;  // For their answers, in order.
  std::size_t unwritten_ = 0;       // Of those, the last ones.
  bool writing_ = false;
  bool is_over_ = false;
};

class GrpcStreamPeer final : public Peer {
 public:
  explicit GrpcStreamPeer(const PeerOptions& options) {
    request_.set_data(std::string(options.payload_bytes, 'x'));
    for (std::size_t i = 0; i < options.callers; ++i) {
      streams_.push_back(std::make_unique<Stream>(options.address, request_));
    }
  }

  void StartCall(std::size_t caller, Done done) override { streams_[caller]->Ask(std::move(done)); }

 private:
  v1::Payload request_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace

std::unique_ptr<Peer> NewGrpcStreamPeer(const PeerOptions& options) {
  KeepGrpcRunning();
  return std::make_unique<GrpcStreamPeer>(options);
}

}  // namespace bench
