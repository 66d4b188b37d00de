// A service written by hand as the plugin would write it.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include <asio/awaitable.hpp>

#include "mqttrpc/rpc/service.h"
#include "rpc_test.pb.h"

namespace mqttrpc::test {

inline constexpr MethodInfo kEchoMethods[] = {
    {.name = "Echo"},
    {.name = "Get", .timeout = std::chrono::milliseconds(2000), .idempotency = Idempotency::kNoSideEffects},
    {.name = "Lossy", .qos = mqtt::QoS::kAtMostOnce},
};
inline constexpr ServiceInfo kEcho{.name = "mqttrpc.test.Echo", .share_group = "", .methods = kEchoMethods};

// Set what a test needs; by default Echo answers what it was asked.
class EchoService final : public Service {
 public:
  using Coroutine = asio::awaitable<absl::StatusOr<Reply>>;

  std::function<absl::StatusOr<Reply>(ServerContext&, const Question&)> plain = [](ServerContext&, const Question& q) {
    Reply reply;
    reply.set_text(q.text());
    reply.set_number(q.number());
    return reply;
  };
  std::function<Coroutine(ServerContext&, const Question&)> coroutine;
  std::function<void(ServerCall)> raw;  // Takes the call as it is.
  std::atomic<int> calls = 0;

  const ServiceInfo& info() const override { return kEcho; }

  void Serve(std::size_t, ServerCall call) override {
    ++calls;
    if (raw) return raw(std::move(call));
    ServeMethod(*this, std::move(call), &EchoService::Echo, &EchoService::CoEcho);
  }

  absl::StatusOr<Reply> Echo(ServerContext& context, const Question& question) { return plain(context, question); }
  Coroutine CoEcho(ServerContext& context, const Question& question) {
    return coroutine ? coroutine(context, question) : Coroutine();
  }
};

}  // namespace mqttrpc::test
