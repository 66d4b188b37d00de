#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"
#include "systems/grpc_channel.h"
#include "systems/peer.h"

namespace bench {
namespace {

class GrpcPeer final : public Peer {
 public:
  explicit GrpcPeer(const PeerOptions& options) {
    request_.set_data(std::string(options.payload_bytes, 'x'));
    for (std::size_t i = 0; i < options.callers; ++i) stubs_.push_back(v1::Echo::NewStub(ChannelTo(options.address)));
  }

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

}  // namespace

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // Else equal channels share one connection.
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<Peer> NewGrpcPeer(const PeerOptions& options) { return std::make_unique<GrpcPeer>(options); }

}  // namespace bench
