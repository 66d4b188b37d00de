#include "ending_cases.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "body.h"
#include "interop.mqttrpc.h"
#include "service.h"
#include "verdict.h"

namespace mqttrpc::interop {
namespace {

using google::protobuf::Empty;

constexpr std::string_view kInitialValue = "goes along with the first reply";
constexpr std::string_view kTrailingValue("\xab\x00\xab\xff", 4);

constexpr absl::StatusCode kCode = absl::StatusCode::kUnknown;
constexpr std::string_view kWords = "as the caller wished";
// White space at both ends and in between, and characters of two, three and four bytes. MQTT
// lets a receiver close the connection over a control character in a string (1.5.4).
constexpr std::string_view kSpecialWords = "\t\n\u00e9tude with white space\r\n\u0085and \u263a and \U0001f608\t\n";

CallOptions WithMetadata(CallInfo& info) {
  CallOptions options;
  options.metadata.Add(kInitialKey, kInitialValue);
  options.metadata.Add(kTrailingKey, kTrailingValue);
  options.info = &info;
  return options;
}

absl::Status Judge(const CallInfo& info) {
  if (info.metadata.Get(kInitialKey) != kInitialValue) return Differs("the initial metadata did not come back");
  if (info.metadata.Get(kTrailingKey) != kTrailingValue) return Differs("the trailing metadata did not come back");
  return ExpectSize(static_cast<std::int64_t>(info.metadata.size()), 2, "the number of keys that came back");
}

End EndOf(absl::StatusCode code, std::string_view words) {
  End end;
  end.set_code(static_cast<int>(code));
  end.set_message(std::string(words));
  return end;
}

OutputRequest AskForOne(std::size_t reply, std::size_t request) {
  OutputRequest output;
  output.set_body(Body(request));
  output.add_parts()->set_size(static_cast<std::int64_t>(reply));
  return output;
}

asio::awaitable<absl::Status> UnaryMetadata(Target target) {
  const TestStub stub(target.channel, target.instance);
  UnaryRequest request;
  request.set_body(Body(8));
  request.set_reply_size(9);
  CallInfo info;
  const CallOptions options = WithMetadata(info);
  const absl::StatusOr<UnaryReply> reply = co_await stub.UnaryCall(request, options);
  if (absl::Status status = ExpectOk(reply.status(), "UnaryCall"); !status.ok()) co_return status;
  co_return Judge(info);
}

asio::awaitable<absl::Status> StreamMetadata(Target target) {
  const TestStub stub(target.channel, target.instance);
  CallInfo info;
  const CallOptions options = WithMetadata(info);
  auto call = stub.FullDuplexCall(options);
  const OutputRequest request = AskForOne(9, 8);
  const bool written = co_await call.Write(request);
  if (written) {
    const std::optional<OutputReply> reply = co_await call.Read();
    if (!reply.has_value()) co_return Differs("no reply came");
  }
  call.WritesDone();
  const absl::Status ended = co_await call.Finish();
  if (absl::Status status = ExpectOk(ended, "FullDuplexCall"); !status.ok()) co_return status;
  co_return Judge(info);
}

// What a call ends with whose request says how it has to end.
asio::awaitable<absl::Status> UnaryEnd(Target target, End end) {
  const TestStub stub(target.channel, target.instance);
  UnaryRequest request;
  *request.mutable_end() = end;
  const absl::StatusOr<UnaryReply> reply = co_await stub.UnaryCall(request);
  co_return reply.status();
}

asio::awaitable<absl::Status> StreamEnd(Target target, End end) {
  const TestStub stub(target.channel, target.instance);
  auto call = stub.FullDuplexCall();
  OutputRequest request;
  *request.mutable_end() = end;
  co_await call.Write(request);
  call.WritesDone();
  const absl::Status ended = co_await call.Finish();
  co_return ended;
}

asio::awaitable<absl::Status> EndWith(Target target, absl::StatusCode code, std::string_view words) {
  const End end = EndOf(code, words);
  const absl::Status unary = co_await UnaryEnd(target, end);
  if (absl::Status status = ExpectError(unary, code, words); !status.ok()) co_return status;
  const absl::Status stream = co_await StreamEnd(target, end);
  co_return ExpectError(stream, code, words);
}

}  // namespace

asio::awaitable<absl::Status> CustomMetadata(Target target) {
  const absl::Status unary = co_await UnaryMetadata(target);
  if (!unary.ok()) co_return unary;
  const absl::Status stream = co_await StreamMetadata(target);
  co_return stream;
}

asio::awaitable<absl::Status> StatusCodeAndMessage(Target target) {
  const absl::Status verdict = co_await EndWith(target, kCode, kWords);
  co_return verdict;
}

asio::awaitable<absl::Status> SpecialStatusMessage(Target target) {
  const absl::Status verdict = co_await EndWith(target, kCode, kSpecialWords);
  co_return verdict;
}

asio::awaitable<absl::Status> UnimplementedMethod(Target target) {
  const TestStub stub(target.channel, target.instance);
  const Empty request;
  const absl::StatusOr<Empty> reply = co_await stub.UnimplementedCall(request);
  co_return ExpectError(reply.status(), absl::StatusCode::kUnimplemented);
}

// Its instance serves other services, so it can say so.
asio::awaitable<absl::Status> UnimplementedService(Target target) {
  const UnimplementedStub stub(target.channel, target.instance);
  const Empty request;
  const absl::StatusOr<Empty> reply = co_await stub.UnimplementedCall(request);
  co_return ExpectError(reply.status(), absl::StatusCode::kUnimplemented);
}

asio::awaitable<absl::Status> CancelAfterBegin(Target target) {
  const TestStub stub(target.channel, target.instance);
  auto call = stub.StreamingInputCall();
  call.Cancel();
  const absl::StatusOr<InputReply> reply = co_await call.Finish();
  co_return ExpectError(reply.status(), absl::StatusCode::kCancelled);
}

asio::awaitable<absl::Status> CancelAfterFirstResponse(Target target) {
  const TestStub stub(target.channel, target.instance);
  auto call = stub.FullDuplexCall();
  const OutputRequest request = AskForOne(31'415, 27'182);
  const bool written = co_await call.Write(request);
  if (!written) {
    const absl::Status ended = co_await call.Finish();
    co_return ExpectOk(ended, "FullDuplexCall");
  }
  const std::optional<OutputReply> reply = co_await call.Read();
  if (!reply.has_value()) co_return Differs("no reply came before the call was cancelled");
  if (absl::Status status = ExpectBody(reply->body(), 31'415); !status.ok()) co_return status;
  call.Cancel();
  const absl::Status ended = co_await call.Finish();
  co_return ExpectError(ended, absl::StatusCode::kCancelled);
}

asio::awaitable<absl::Status> TimeoutOnSleepingServer(Target target) {
  const TestStub stub(target.channel, target.instance);
  CallOptions impatient;
  impatient.timeout = std::chrono::milliseconds(50);
  auto call = stub.FullDuplexCall(impatient);
  OutputRequest request = AskForOne(9, 27'182);
  request.mutable_parts(0)->set_wait_us(std::chrono::microseconds(std::chrono::minutes(1)).count());
  co_await call.Write(request);  // It may be over already.
  const std::optional<OutputReply> reply = co_await call.Read();
  if (reply.has_value()) co_return Differs("a reply came, from a server that ought to sleep");
  const absl::Status ended = co_await call.Finish();
  co_return ExpectError(ended, absl::StatusCode::kDeadlineExceeded);
}

}  // namespace mqttrpc::interop
