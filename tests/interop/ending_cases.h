// Cases about what goes beside messages, and how calls end.
#pragma once

#include "cases.h"

namespace mqttrpc::interop {

asio::awaitable<absl::Status> CustomMetadata(Target target);
asio::awaitable<absl::Status> StatusCodeAndMessage(Target target);
asio::awaitable<absl::Status> SpecialStatusMessage(Target target);
asio::awaitable<absl::Status> UnimplementedMethod(Target target);
asio::awaitable<absl::Status> UnimplementedService(Target target);
asio::awaitable<absl::Status> CancelAfterBegin(Target target);
asio::awaitable<absl::Status> CancelAfterFirstResponse(Target target);
asio::awaitable<absl::Status> TimeoutOnSleepingServer(Target target);

}  // namespace mqttrpc::interop
