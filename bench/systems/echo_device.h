// Our echo service.
#pragma once

#include "echo.mqttrpc.h"
#include "mqttrpc/rpc/server.h"
#include "systems/peer.h"

namespace bench {

class EchoDevice final : public v1::EchoService {
  absl::StatusOr<v1::Payload> Echo(mqttrpc::ServerContext&, const v1::Payload& request) override { return request; }
};

// Takes as many calls at a time as any case keeps under way, and as large ones.
inline mqttrpc::ServerOptions EchoServerOptions() {
  mqttrpc::ServerOptions options;
  options.maximum_calls = 100'000;
  options.limits.message_bytes = kLargestMessageBytes;
  return options;
}

}  // namespace bench
