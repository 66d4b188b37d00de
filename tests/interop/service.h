// The service that the cases call.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <asio/awaitable.hpp>

#include "interop.mqttrpc.h"
#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/rpc/server.h"

namespace mqttrpc::interop {

// Whom callers name, unless told otherwise.
inline constexpr char kInstance[] = "interop";

// What come back: the first with the first reply, the second at the end.
inline constexpr char kInitialKey[] = "x-echo-initial";
inline constexpr char kTrailingKey[] = "x-echo-trailing-bin";

// With room for the largest message there is.
ServerOptions ServingOptions();

// Does what interop.proto says.
class TestHandlers final : public TestService {
 public:
  explicit TestHandlers(mqtt::Clock& clock = mqtt::SystemClock()) : clock_(clock) {}

  absl::StatusOr<google::protobuf::Empty> EmptyCall(ServerContext& context,
                                                    const google::protobuf::Empty& request) override;
  absl::StatusOr<UnaryReply> UnaryCall(ServerContext& context, const UnaryRequest& request) override;
  asio::awaitable<absl::Status> CoStreamingOutputCall(ServerContext& context, const OutputRequest& request,
                                                      ServerWriter<OutputReply>& writer) override;
  asio::awaitable<absl::StatusOr<InputReply>> CoStreamingInputCall(ServerContext& context,
                                                                   ServerReader<InputRequest>& reader) override;
  asio::awaitable<absl::Status> CoFullDuplexCall(ServerContext& context,
                                                 ServerReaderWriter<OutputRequest, OutputReply>& stream) override;

 private:
  // Waits for each part's time, and writes it.
  template <typename Writer>
  asio::awaitable<absl::Status> WriteParts(const OutputRequest& request, Writer& writer);

  mqtt::Clock& clock_;
};

}  // namespace mqttrpc::interop
