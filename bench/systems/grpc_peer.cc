#include <iostream>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"
#include "peer.h"

namespace bench {
namespace {

class EchoServer final : public v1::Echo::CallbackService {
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context, const v1::Payload* request,
                                 v1::Payload* reply) override {
    reply->set_data(request->data());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class GrpcPeer final : public Peer {
 public:
  GrpcPeer(const std::string& address, std::size_t payload_bytes)
      : stub_(v1::Echo::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    request_.set_data(std::string(payload_bytes, 'x'));
  }

  void StartCall(Done done) override {
    // Lives until its callback, as gRPC wants it.
    struct Call {
      grpc::ClientContext context;
      v1::Payload reply;
      Done done;
    };
    auto* call = new Call;
    call->done = std::move(done);
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    stub_->async()->Echo(&call->context, &request_, &call->reply, [call](const grpc::Status& status) {
      const std::unique_ptr<Call> owned(call);
      owned->done(status.ok());
    });
  }

 private:
  std::unique_ptr<v1::Echo::Stub> stub_;
  v1::Payload request_;
};

}  // namespace

std::unique_ptr<Peer> NewGrpcPeer(const std::string& address, std::size_t payload_bytes) {
  return std::make_unique<GrpcPeer>(address, payload_bytes);
}

int ServeGrpc() {
  EchoServer service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::cout << "ready 127.0.0.1:" << port << std::endl;
  server->Wait();
  return 0;
}

}  // namespace bench
