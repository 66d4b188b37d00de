#include <chrono>
#include <latch>
#include <memory>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"
#include "report/sample.h"
#include "systems/grpc_channel.h"
#include "systems/grpc_echo.h"
#include "systems/peer.h"

namespace bench {
namespace {

class GrpcPeer final : public Peer {
 public:
  explicit GrpcPeer(std::size_t payload_bytes) { request_.set_data(std::string(payload_bytes, 'x')); }

  void AddCaller(const std::shared_ptr<grpc::Channel>& channel) { stubs_.push_back(v1::Echo::NewStub(channel)); }

  void StartCall(std::size_t caller, Done done) override {
    // Lives until its callback, as gRPC wants it.
    struct Call {
      grpc::ClientContext context;
      v1::Payload reply;
      Done done;
    };
    auto* call = new Call;
    call->done = std::move(done);
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    stubs_[caller]->async()->Echo(&call->context, &request_, &call->reply, [call](const grpc::Status& status) {
      const std::unique_ptr<Call> owned(call);
      owned->done(status.ok());
    });
  }

 private:
  std::vector<std::unique_ptr<v1::Echo::Stub>> stubs_;
  v1::Payload request_;
};

class GrpcInProcessPeer final : public Peer {
 public:
  explicit GrpcInProcessPeer(std::size_t payload_bytes) : peer_(payload_bytes) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) throw Void("gRPC does not serve");
    peer_.AddCaller(server_->InProcessChannel(grpc::ChannelArguments()));
  }
  ~GrpcInProcessPeer() override { server_->Shutdown(); }

  void StartCall(std::size_t caller, Done done) override { peer_.StartCall(caller, std::move(done)); }

 private:
  GrpcEcho service_;
  std::unique_ptr<grpc::Server> server_;
  GrpcPeer peer_;
};

}  // namespace

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // Else equal channels share one connection.
  arguments.SetMaxReceiveMessageSize(kLargestMessageBytes);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

void KeepGrpcRunning() {
  static const bool started = [] {
    auto* peer = new GrpcInProcessPeer(0);  // For ever. Idle, it takes no time.
    std::latch called(1);
    peer->StartCall(0, [&called](bool) { called.count_down(); });
    called.wait();
    return true;
  }();
  static_cast<void>(started);
}

std::unique_ptr<Peer> NewGrpcPeer(const PeerOptions& options) {
  KeepGrpcRunning();
  auto peer = std::make_unique<GrpcPeer>(options.payload_bytes);
  for (std::size_t i = 0; i < options.callers; ++i) peer->AddCaller(ChannelTo(options.address));
  return peer;
}

std::unique_ptr<Peer> NewGrpcInProcessPeer(std::size_t payload_bytes) {
  KeepGrpcRunning();
  return std::make_unique<GrpcInProcessPeer>(payload_bytes);
}

}  // namespace bench
