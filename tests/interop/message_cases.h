// Cases about messages: all of them arrive, whole and in order, whatever their size.
#pragma once

#include "cases.h"

namespace mqttrpc::interop {

asio::awaitable<absl::Status> EmptyUnary(Target target);
asio::awaitable<absl::Status> LargeUnary(Target target);
asio::awaitable<absl::Status> HugeUnary(Target target);
asio::awaitable<absl::Status> ConcurrentLargeUnary(Target target);
asio::awaitable<absl::Status> ClientStreaming(Target target);
asio::awaitable<absl::Status> ServerStreaming(Target target);
asio::awaitable<absl::Status> PingPong(Target target);
asio::awaitable<absl::Status> EmptyStream(Target target);

}  // namespace mqttrpc::interop
