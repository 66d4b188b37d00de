#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "echo_stream.grpc.pb.h"
#include "systems/grpc_echo.h"
#include "systems/peer.h"

namespace bench {
namespace {

// Goes on reading while it writes: a window of messages does not wait for each other.
class EchoReactor final : public grpc::ServerBidiReactor<v1::Payload, v1::Payload> {
 public:
  EchoReactor() { StartRead(&request_); }

 private:
  void OnReadDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    if (!ok) {
      ended_ = true;
      if (answers_.empty()) Finish(grpc::Status::OK);
      return;
    }
    answers_.push_back(std::move(request_));
    if (answers_.size() == 1) StartWrite(&answers_.front());
    StartRead(&request_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    answers_.pop_front();
    if (!ok) answers_.clear();  // The caller has gone; the read ends likewise.
    if (!answers_.empty()) {
      StartWrite(&answers_.front());
    } else if (ended_) {
      Finish(grpc::Status::OK);
    }
  }

  void OnDone() override { delete this; }

  std::mutex mutex_;
  v1::Payload request_;
  std::deque<v1::Payload> answers_;  // The first is being written.
  bool ended_ = false;
};

class EchoStreamServer final : public v1::EchoStream::CallbackService {
  grpc::ServerBidiReactor<v1::Payload, v1::Payload>* Echo(grpc::CallbackServerContext*) override {
    return new EchoReactor;
  }
};

}  // namespace

int ServeGrpc() {
  GrpcEcho unary;
  EchoStreamServer streaming;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kLargestMessageBytes);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&unary);
  builder.RegisterService(&streaming);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::cout << "ready 127.0.0.1:" << port << std::endl;
  server->Wait();
  return 0;
}

}  // namespace bench
