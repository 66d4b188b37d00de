#include "message_cases.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "body.h"
#include "interop.mqttrpc.h"
#include "verdict.h"

namespace mqttrpc::interop {
namespace {

using google::protobuf::Empty;

constexpr std::size_t kLargeRequest = 271'828;
constexpr std::size_t kLargeReply = 314'159;
constexpr std::array<std::size_t, 4> kRequests{27'182, 8, 1'828, 45'904};
constexpr std::array<std::size_t, 4> kReplies{31'415, 9, 2'653, 58'979};
constexpr std::size_t kAtATime = 20;

// For what takes its time where two programs and a broker share a slow machine.
CallOptions Patient() {
  CallOptions options;
  options.timeout = std::chrono::minutes(2);
  return options;
}

UnaryRequest AskFor(std::size_t reply, std::size_t request) {
  UnaryRequest unary;
  unary.set_body(Body(request));
  unary.set_reply_size(static_cast<std::int64_t>(reply));
  return unary;
}

absl::Status Judge(const absl::StatusOr<UnaryReply>& reply, std::size_t size, std::size_t request_size) {
  if (absl::Status status = ExpectOk(reply.status(), "UnaryCall"); !status.ok()) return status;
  if (absl::Status status = ExpectSize(reply->request_size(), request_size, "the request as it arrived"); !status.ok())
    return status;
  return ExpectBody(reply->body(), size);
}

// Calls under way together, and the first thing that differed.
struct Together {
  explicit Together(mqtt::Completion<absl::Status> done_in) : done(std::move(done_in)) {}

  mqtt::Completion<absl::Status> done;
  std::size_t left = kAtATime;
  absl::Status verdict;
};

asio::awaitable<absl::Status> CallTogether(const TestStub& stub, const UnaryRequest& request) {
  return mqtt::Initiate<absl::Status>(asio::use_awaitable, [&stub, &request](mqtt::Completion<absl::Status> done) {
    auto together = std::make_shared<Together>(std::move(done));
    for (std::size_t i = 0; i < kAtATime; ++i) {
      stub.UnaryCall(request, Patient(), [together](const absl::StatusOr<UnaryReply>& reply) {
        together->verdict.Update(Judge(reply, kLargeReply, kLargeRequest));
        if (--together->left == 0) together->done(together->verdict);
      });
    }
  });
}

}  // namespace

asio::awaitable<absl::Status> EmptyUnary(Target target) {
  const TestStub stub(target.channel, target.instance);
  const Empty request;
  const absl::StatusOr<Empty> reply = co_await stub.EmptyCall(request);
  if (absl::Status status = ExpectOk(reply.status(), "EmptyCall"); !status.ok()) co_return status;
  co_return ExpectSize(static_cast<std::int64_t>(reply->ByteSizeLong()), 0, "the reply's size");
}

asio::awaitable<absl::Status> LargeUnary(Target target) {
  const TestStub stub(target.channel, target.instance);
  const UnaryRequest request = AskFor(kLargeReply, kLargeRequest);
  const absl::StatusOr<UnaryReply> reply = co_await stub.UnaryCall(request);
  co_return Judge(reply, kLargeReply, kLargeRequest);
}

asio::awaitable<absl::Status> HugeUnary(Target target) {
  const TestStub stub(target.channel, target.instance);
  const CallOptions options = Patient();
  const UnaryRequest huge = AskFor(0, kLargestBody);
  const absl::StatusOr<UnaryReply> there = co_await stub.UnaryCall(huge, options);
  if (absl::Status status = Judge(there, 0, kLargestBody); !status.ok()) co_return status;
  const UnaryRequest small = AskFor(kLargestBody, 0);
  const absl::StatusOr<UnaryReply> back = co_await stub.UnaryCall(small, options);
  co_return Judge(back, kLargestBody, 0);
}

asio::awaitable<absl::Status> ConcurrentLargeUnary(Target target) {
  const TestStub stub(target.channel, target.instance);
  const UnaryRequest request = AskFor(kLargeReply, kLargeRequest);
  const absl::Status verdict = co_await CallTogether(stub, request);
  co_return verdict;
}

asio::awaitable<absl::Status> ClientStreaming(Target target) {
  const TestStub stub(target.channel, target.instance);
  auto call = stub.StreamingInputCall();
  std::size_t total = 0;
  for (const std::size_t size : kRequests) {
    InputRequest request;
    request.set_body(Body(size));
    total += size;
    const bool written = co_await call.Write(request);
    if (!written) break;  // Finish() says why.
  }
  const absl::StatusOr<InputReply> reply = co_await call.Finish();
  if (absl::Status status = ExpectOk(reply.status(), "StreamingInputCall"); !status.ok()) co_return status;
  co_return ExpectSize(reply->total_size(), total, "the sum of all sizes");
}

asio::awaitable<absl::Status> ServerStreaming(Target target) {
  const TestStub stub(target.channel, target.instance);
  OutputRequest request;
  for (const std::size_t size : kReplies) request.add_parts()->set_size(static_cast<std::int64_t>(size));
  auto call = stub.StreamingOutputCall(request);
  std::size_t count = 0;
  for (;;) {
    const std::optional<OutputReply> reply = co_await call.Read();
    if (!reply.has_value()) break;
    if (count == kReplies.size()) co_return Differs("more replies came than were asked for");
    if (absl::Status status = ExpectBody(reply->body(), kReplies[count++]); !status.ok()) co_return status;
  }
  const absl::Status ended = co_await call.Finish();
  if (absl::Status status = ExpectOk(ended, "StreamingOutputCall"); !status.ok()) co_return status;
  co_return ExpectSize(static_cast<std::int64_t>(count), kReplies.size(), "the number of replies");
}

asio::awaitable<absl::Status> PingPong(Target target) {
  const TestStub stub(target.channel, target.instance);
  auto call = stub.FullDuplexCall();
  for (std::size_t i = 0; i < kRequests.size(); ++i) {
    OutputRequest request;
    request.set_body(Body(kRequests[i]));
    request.add_parts()->set_size(static_cast<std::int64_t>(kReplies[i]));
    const bool written = co_await call.Write(request);
    if (!written) break;  // Finish() says why.
    const std::optional<OutputReply> reply = co_await call.Read();
    if (!reply.has_value()) break;
    if (absl::Status status = ExpectBody(reply->body(), kReplies[i]); !status.ok()) co_return status;
  }
  call.WritesDone();
  const std::optional<OutputReply> more = co_await call.Read();
  if (more.has_value()) co_return Differs("a reply came that nobody had asked for");
  const absl::Status ended = co_await call.Finish();
  co_return ExpectOk(ended, "FullDuplexCall");
}

asio::awaitable<absl::Status> EmptyStream(Target target) {
  const TestStub stub(target.channel, target.instance);
  auto call = stub.FullDuplexCall();
  call.WritesDone();
  const std::optional<OutputReply> reply = co_await call.Read();
  if (reply.has_value()) co_return Differs("a reply came to no request");
  const absl::Status ended = co_await call.Finish();
  co_return ExpectOk(ended, "FullDuplexCall");
}

}  // namespace mqttrpc::interop
