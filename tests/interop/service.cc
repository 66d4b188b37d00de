#include "service.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <absl/strings/str_cat.h>

#include "body.h"
#include "wait.h"

namespace mqttrpc::interop {
namespace {

void Echo(ServerContext& context, const char* key) {
  if (const auto value = context.metadata().Get(key)) context.reply_metadata().Add(key, *value);
}

absl::Status StatusOf(const End& end) { return absl::Status(static_cast<absl::StatusCode>(end.code()), end.message()); }

absl::Status CheckBody(const std::string& body) {
  if (IsBody(body)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a body of ", body.size(), " bytes is not what was agreed upon"));
}

absl::Status CheckSize(std::int64_t size) {
  if (size >= 0 && static_cast<std::uint64_t>(size) <= kLargestBody) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a body of ", size, " bytes; there are none over ", kLargestBody));
}

absl::Status NobodyWaits() { return absl::CancelledError("nobody waits for the answer"); }

}  // namespace

ServerOptions ServingOptions() {
  ServerOptions options;
  options.limits.message_bytes = kLargestMessage;
  options.maximum_waiting_bytes = 2 * kLargestMessage;
  return options;
}

absl::StatusOr<google::protobuf::Empty> TestHandlers::EmptyCall(ServerContext&, const google::protobuf::Empty&) {
  return google::protobuf::Empty();
}

absl::StatusOr<UnaryReply> TestHandlers::UnaryCall(ServerContext& context, const UnaryRequest& request) {
  Echo(context, kInitialKey);
  Echo(context, kTrailingKey);
  if (request.has_end()) return StatusOf(request.end());
  if (absl::Status status = CheckBody(request.body()); !status.ok()) return status;
  if (absl::Status status = CheckSize(request.reply_size()); !status.ok()) return status;
  UnaryReply reply;
  reply.set_body(Body(static_cast<std::size_t>(request.reply_size())));
  reply.set_request_size(static_cast<std::int64_t>(request.body().size()));
  return reply;
}

template <typename Writer>
asio::awaitable<absl::Status> TestHandlers::WriteParts(const OutputRequest& request, Writer& writer) {
  if (absl::Status status = CheckBody(request.body()); !status.ok()) co_return status;
  for (const Part& part : request.parts()) {
    if (absl::Status status = CheckSize(part.size()); !status.ok()) co_return status;
    if (part.wait_us() > 0) {
      const bool waited = co_await WaitFor(clock_, std::chrono::microseconds(part.wait_us()));
      if (!waited) co_return NobodyWaits();
    }
    OutputReply reply;
    reply.set_body(Body(static_cast<std::size_t>(part.size())));
    const bool written = co_await writer.Write(reply);
    if (!written) co_return NobodyWaits();
  }
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> TestHandlers::CoStreamingOutputCall(ServerContext& context, const OutputRequest& request,
                                                                  ServerWriter<OutputReply>& writer) {
  Echo(context, kInitialKey);
  const absl::Status written = co_await WriteParts(request, writer);
  Echo(context, kTrailingKey);
  if (!written.ok() || !request.has_end()) co_return written;
  co_return StatusOf(request.end());
}

asio::awaitable<absl::StatusOr<InputReply>> TestHandlers::CoStreamingInputCall(ServerContext& context,
                                                                               ServerReader<InputRequest>& reader) {
  Echo(context, kInitialKey);
  Echo(context, kTrailingKey);
  InputReply reply;
  for (;;) {
    const std::optional<InputRequest> request = co_await reader.Read();
    if (!request.has_value()) break;
    if (absl::Status status = CheckBody(request->body()); !status.ok()) co_return status;
    reply.set_total_size(reply.total_size() + static_cast<std::int64_t>(request->body().size()));
  }
  if (context.cancelled()) co_return NobodyWaits();
  co_return reply;
}

asio::awaitable<absl::Status> TestHandlers::CoFullDuplexCall(ServerContext& context,
                                                             ServerReaderWriter<OutputRequest, OutputReply>& stream) {
  Echo(context, kInitialKey);
  absl::Status status;
  while (status.ok()) {
    const std::optional<OutputRequest> request = co_await stream.Read();
    if (!request.has_value()) break;
    status = co_await WriteParts(*request, stream);
    if (status.ok() && request->has_end()) status = StatusOf(request->end());
  }
  Echo(context, kTrailingKey);
  co_return status;
}

}  // namespace mqttrpc::interop
