// One call on the serving side, between the server and its handler.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <asio/any_io_executor.hpp>
#include <asio/cancellation_signal.hpp>

#include "call_codec.h"
#include "linked_list.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/rpc/service.h"
#include "reply_cache.h"
#include "server_chain.h"
#include "status_wire.h"

namespace mqttrpc {

struct ServerFrames;

// What a handler answers, written out.
struct Answer {
  Answer() = default;

  WireStatus status;
  std::string payload;
  Metadata metadata;
  bool details_lost = false;
};

// An answer that no handler gave.
Answer AnswerFor(const absl::Status& status, ContentType content_type);

// Where answers go: the server, unless it is gone.
class AnswerSink {
 public:
  // On the client's executor; once per call that was handed to a handler.
  virtual void HandlerEnded(ServerCall::State& call, Answer answer) = 0;

  // What the handler's reader and writer want. On the client's executor.
  virtual void Read(ServerCall::State& call, google::protobuf::Message& message, mqtt::Completion<bool> done,
                    std::uint64_t number) = 0;
  virtual void CancelRead(ServerCall::State& call, std::uint64_t number) = 0;  // Unless it is over.
  virtual void Write(ServerCall::State& call, WrittenMessage message, mqtt::Completion<bool> done) = 0;

  // A stream must end with `why`. On the client's executor.
  virtual void GiveUp(ServerCall::State& call, const absl::Status& why) = 0;

  // Any thread: a call that never ended, since its executor is gone.
  virtual void HandlerLost(ServerCall::State& call) = 0;

 protected:
  ~AnswerSink() = default;
};

// Where handlers run.
struct HandlerPlace {
  HandlerPlace() = default;

  std::weak_ptr<AnswerSink> sink;
  asio::any_io_executor home;      // The client's executor.
  asio::any_io_executor executor;  // One handler at a time: home, or a strand elsewhere.
  bool hop = false;                // It is elsewhere: answers come back by home.
};

class ServerCall::State final : public ServerContext,
                                public ListNode,
                                public mqtt::DeadlineQueue::Entry,
                                public std::enable_shared_from_this<State> {
 public:
  // Borrows `payload` until OwnPayload(), unless the place hops.
  State(std::shared_ptr<const HandlerPlace> place, const RequestIn& request, Metadata metadata,
        std::string_view payload, const MethodInfo& method, std::string_view instance, mqtt::TimePoint deadline);
  ~State() override;

  // For the handler.
  std::string_view caller() const override { return caller_; }
  std::string_view service() const override { return service_; }
  std::string_view method() const override { return method_.name; }
  std::string_view instance() const override { return instance_; }
  const Metadata& metadata() const override { return metadata_; }
  int attempt() const override { return attempt_; }
  mqtt::TimePoint deadline() const override { return call_deadline_; }
  bool cancelled() const override { return cancelled_.load(std::memory_order_acquire); }
  void OnCancel(absl::AnyInvocable<void()> then) override;
  Metadata& reply_metadata() override { return reply_metadata_; }
  asio::any_io_executor executor() const override { return place_->executor; }

  // Before the rest. On false the call is already answered.
  bool Intercept(std::shared_ptr<const ServerInterceptors> interceptors);
  bool ReadRequest(google::protobuf::Message& request);
  void Finish(const absl::Status& status, const google::protobuf::Message* reply);
  void FinishWithException(std::exception_ptr exception);
  void FinishUnanswered();
  void Spawn(asio::awaitable<void> body);
  std::shared_ptr<MessageStream> Stream();

  // For the server.
  void OwnPayload();
  void SetPayload(std::string payload);
  void Cancel(const absl::Status& why);  // Tells the handler, wherever it runs.
  ResponseOut ResponseHead(std::chrono::milliseconds remaining) const;
  ContentType content_type() const { return content_type_; }
  bool one_way() const { return inbox_.empty(); }
  const MethodInfo& method_info() const { return method_; }
  std::string_view correlation_data() const { return correlation_data_; }

  // The server's own marks.
  ReplyCache::Entry* entry = nullptr;    // Null: no duplicate can be told, or it is answered.
  std::unique_ptr<ServerFrames> frames;  // Null: all is plain.
  Service* handler = nullptr;            // Whose method `method_index` it is.
  std::size_t method_index = 0;
  std::optional<std::size_t> caller_packet;  // What the caller takes in one packet, if it takes fragments.
  bool confirms_end = true;                  // The caller says when it has got all of a stream.
  std::atomic<std::uint64_t> lost = 0;
  std::atomic<std::uint64_t> reads = 0;  // Begun so far.
  bool answered = false;                 // Or nobody waits any more: what the handler says is dropped.

 private:
  class HandlerStream;

  void CancelOnExecutor();
  // Of a reply, as interceptors leave it.
  absl::Status WriteReply(const google::protobuf::Message& reply, std::string& payload);
  void Deliver(Answer answer);

  const std::shared_ptr<const HandlerPlace> place_;
  const MethodInfo& method_;
  const std::string names_;  // What the views below point into.
  std::string_view service_, caller_, inbox_, correlation_data_, instance_;
  const bool has_correlation_data_;
  const ContentType content_type_;
  const int attempt_;
  const mqtt::TimePoint call_deadline_;
  Metadata metadata_;
  std::unique_ptr<ServerChain> chain_;  // Null: no interceptor follows it. Made before the handler begins.

  // The handler's executor only.
  std::string owned_payload_;
  std::string_view payload_;
  Metadata reply_metadata_;
  bool wrote_ = false;
  asio::cancellation_signal signal_;

  std::atomic<bool> cancelled_{false};
  // Guards what follows. Recursive: an OnCancel callback of a plain function runs
  // under it, so that none runs after the function has returned.
  std::recursive_mutex mutex_;
  bool spawned_ = false;
  bool finished_ = false;
  absl::Status cancelled_by_;
  absl::AnyInvocable<void()> on_cancel_;
};

}  // namespace mqttrpc
