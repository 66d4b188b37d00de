// How all our gRPC callers connect.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/channel.h>

namespace bench {

// A channel with a connection of its own, as gRPC sets it up without tuning, but for the largest
// message that it takes.
std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address);

// To be called before the first channel is made. gRPC 1.51 reads freed memory when the
// last channel that has made callback calls goes: from here on there always is one.
void KeepGrpcRunning();

}  // namespace bench
