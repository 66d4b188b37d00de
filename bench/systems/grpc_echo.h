// gRPC's echo service, unary.
#pragma once

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"

namespace bench {

class GrpcEcho final : public v1::Echo::CallbackService {
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context, const v1::Payload* request,
                                 v1::Payload* reply) override {
    reply->set_data(request->data());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace bench
