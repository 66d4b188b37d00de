// How all our gRPC callers connect.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/channel.h>

namespace bench {

// A channel with a connection of its own, as gRPC sets it up without tuning.
std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address);

}  // namespace bench
