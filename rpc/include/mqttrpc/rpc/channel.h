// Start here on the calling side: a channel carries the calls of any number of
// stubs over one MQTT client.
//
//   mqttrpc::Channel channel(client);
//   demo::GreeterStub greeter(channel, "device-7");
//   auto reply = co_await greeter.Hello(request);
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>

#include "mqttrpc/mqtt/client.h"
#include "mqttrpc/mqtt/completion.h"
#include "mqttrpc/rpc/call_options.h"
#include "mqttrpc/rpc/message_bus.h"
#include "mqttrpc/rpc/method.h"
#include "mqttrpc/rpc/stream.h"

namespace mqttrpc {

using mqtt::DefaultToken;
using mqtt::kBlocking;

class ClientChain;
class ClientInterceptor;

// The target that means any one member of a service's pool.
inline constexpr std::string_view kAnyInstance = "_";

// What is out of range ends each call with kInvalidArgument.
struct ChannelOptions {
  ChannelOptions() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // The first topic levels: `rpc1`, with up to two site levels before it ("plant-4/rpc1").
  std::string name_space = "rpc1";

  // The last level of the topic that answers come to: [A-Za-z0-9_.-]{1,64}, and
  // different for each channel of a client. Empty: a random one. Name one if the
  // client resumes its session after a restart, or each run leaves a
  // subscription behind in that session.
  std::string inbox;

  // For unary calls whose options and method name none, 1 ms to 30 days. Streams then have no
  // deadline.
  std::chrono::milliseconds default_timeout{5'000};

  // Calls under way at a time; more fail with kResourceExhausted.
  std::size_t maximum_calls = 100'000;

  // For all calls; for those of one method, named as "acme.lamp.v1.Lamp/SetLight"; and for all
  // together. Why retries are as they are: docs/decisions/0022-retries.md.
  RetryPolicy retry;
  std::map<std::string, RetryPolicy, std::less<>> method_retry;
  RetryThrottle retry_throttle;

  // What we take of each call's replies.
  StreamLimits limits;

  // Larger requests, in bytes with topic and properties, go in fragments; and any that the
  // broker does not take in one piece. At least 1 KiB.
  std::size_t fragment_above = 256 * 1024;

  // A stream, a request in fragments, or a call with a timeout over twice this, ends with
  // kUnavailable if the other side does not say within it, and a second for the way, that it is at
  // work. 100 ms to 1 hour.
  std::chrono::milliseconds accept_timeout{5'000};

  // How often it is then asked whether it still is; after three times as long without a
  // word of it, or without a connection, the call ends with kUnavailable. 100 ms to 1 hour.
  std::chrono::milliseconds ping_interval{10'000};

  // What sees and changes each call, the outermost first: mqttrpc/rpc/interceptor.h.
  std::vector<std::shared_ptr<ClientInterceptor>> interceptors;
};

// Makes calls. Any thread may use it; it lives on the client's executor. The client, or
// the bus in its place, outlives the channel and may serve other purposes too. Destroying the
// channel ends the calls under way with kCancelled, callbacks without an executor of their own
// on the thread that destroys it. Readers and writers may outlive it.
//
// Every call completes exactly once, at its deadline at the latest, with the
// reply or with one of
//   kUnavailable        nobody serves the target (not executed); the broker's
//                       session was lost after the request went out; nothing is
//                       heard of the device, or it does not know the call any
//                       more (perhaps)
//   kDeadlineExceeded   no reply in time: perhaps, or not executed if there was no
//                       connection to send it over
//   kCancelled          the token's cancellation slot fired, or the channel ended;
//                       the device is told to stop (of a pool, any one member is:
//                       elsewhere the handler runs until its deadline)
//   kUnimplemented      the device has no such method; target `_all` or `_g.*` (not
//                       executed)
//   kResourceExhausted  the device is at its limit (not executed, see RetryAfter);
//                       the channel or the client's queue is; a one-way request, or
//                       metadata, is larger than the broker takes; a reply is over
//                       limits.message_bytes (perhaps)
//   kInvalidArgument    options, target or metadata not valid; the device could
//                       not parse the request (not executed)
//   kInternal           the reply does not parse; the device breaks the protocol
//   kDataLoss           the bytes of a message in fragments are not those sent
//   kUnknown            an interceptor or the handler threw
//   kPermissionDenied   and others: the broker refused the request or the inbox (not
//                       executed)
//   any other           the handler's answer
// docs/errors.md has all conditions, each with its outcome.
class Channel {
 public:
  explicit Channel(mqtt::Client& client, ChannelOptions options = ChannelOptions());
  explicit Channel(MessageBus& bus, ChannelOptions options = ChannelOptions());
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // For generated code. `request` is only read before this returns; `service`
  // and `method` are static. Completes with absl::StatusOr<Reply>.
  template <typename Reply, typename Token>
  auto Call(const ServiceInfo& service, const MethodInfo& method, std::string_view target,
            const google::protobuf::Message& request, CallOptions options, Token&& token) {
    return mqtt::Initiate<absl::StatusOr<Reply>>(
        std::forward<Token>(token),
        [impl = impl_](mqtt::Completion<absl::StatusOr<Reply>> done, PreparedCall call) {
          const asio::cancellation_slot slot = done.slot();
          auto pending = std::make_unique<Pending<Reply>>(std::move(done));
          Reply& into = pending->reply;
          StartCall(
              impl, std::move(call), into,
              [pending = std::move(pending)](absl::Status status) {
                if (status.ok()) {
                  pending->done(std::move(pending->reply));
                } else {
                  pending->done(std::move(status));
                }
              },
              slot);
        },
        Prepare(service, method, target, &request, std::move(options)));
  }

  // For generated code: methods that stream. They begin at once; what keeps them from
  // it, Finish() says. `request` is only read before this returns.
  template <typename Reply>
  ClientReader<Reply> OpenReader(const ServiceInfo& service, const MethodInfo& method, std::string_view target,
                                 const google::protobuf::Message& request, CallOptions options) {
    return ClientReader<Reply>(Open(Prepare(service, method, target, &request, std::move(options)), nullptr));
  }
  template <typename Request, typename Reply>
  ClientWriter<Request, Reply> OpenWriter(const ServiceInfo& service, const MethodInfo& method, std::string_view target,
                                          CallOptions options) {
    auto reply = std::make_shared<Reply>();
    auto stream = Open(Prepare(service, method, target, nullptr, std::move(options)), reply);
    return ClientWriter<Request, Reply>(std::move(stream), std::move(reply));
  }
  template <typename Request, typename Reply>
  ClientReaderWriter<Request, Reply> OpenReaderWriter(const ServiceInfo& service, const MethodInfo& method,
                                                      std::string_view target, CallOptions options) {
    return ClientReaderWriter<Request, Reply>(
        Open(Prepare(service, method, target, nullptr, std::move(options)), nullptr));
  }

  mqtt::Client* client() const;  // Null if it was made on another bus.

  // Calls that have not ended. Any thread.
  std::size_t calls_under_way() const;

 private:
  friend class GenericStub;
  class Impl;
  class Stream;

  // What a call under way ends with, in one allocation.
  template <typename Reply>
  struct Pending {
    explicit Pending(mqtt::Completion<absl::StatusOr<Reply>> done_in) : done(std::move(done_in)) {}

    mqtt::Completion<absl::StatusOr<Reply>> done;
    Reply reply;
  };

  // A call whose request is written, waiting for its completion token.
  struct PreparedCall {
    PreparedCall() = default;

    std::shared_ptr<const void> keeps;  // What holds `service` and `method`, if they are not static.
    absl::Status status;                // Why it cannot be made, if so.
    const ServiceInfo* service = nullptr;
    const MethodInfo* method = nullptr;
    std::string target;
    std::string payload;
    CallOptions options;
    std::shared_ptr<ClientChain> chain;  // Null: no interceptor follows it.
  };

  // `request`: null if the method's requests stream.
  PreparedCall Prepare(const ServiceInfo& service, const MethodInfo& method, std::string_view target,
                       const google::protobuf::Message* request, CallOptions options) const;
  // `reply`: for the one reply of a method whose replies do not stream.
  std::shared_ptr<MessageStream> Open(PreparedCall call, std::shared_ptr<google::protobuf::Message> reply);
  static void StartCall(const std::shared_ptr<Impl>& impl, PreparedCall call, google::protobuf::Message& reply,
                        absl::AnyInvocable<void(absl::Status)> done, asio::cancellation_slot slot);

  std::shared_ptr<Impl> impl_;
};

}  // namespace mqttrpc
