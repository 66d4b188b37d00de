// Calls with many messages: what reads and writes them, on either side.
//
//   auto updates = thermostat.Watch(request);                       // A ClientReader.
//   while (auto update = co_await updates.Read()) Show(*update);
//   absl::Status status = co_await updates.Finish();
//
// Every Read(), Write() and Finish() takes a completion token, as all operations do
// (mqttrpc/mqtt/completion.h), and may be called on any thread. One Read() and one
// Write() at a time; both may run together.
//
// A Write() completes when its message is inside what the reader at the other end has
// room for: a slow reader slows its writer down, and nothing else on the connection.
// So much memory may be in use per stream, on each side: see StreamLimits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>

#include "mqttrpc/mqtt/completion.h"
#include "mqttrpc/rpc/metadata.h"

namespace mqttrpc {

// How much of a call may be on its way to us, or wait here to be read. Its memory is at
// most `frames` times `frame_bytes`, and one message of `message_bytes`.
struct StreamLimits {
  StreamLimits() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.

  // PUBLISH packets that may wait here; the other side sends no more. 16 to 65,535.
  std::size_t frames = 64;

  // The largest of them, with its topic and properties: 1 KiB to 256 MiB. Larger
  // messages come in fragments. The broker may take less.
  std::size_t frame_bytes = 64 * 1024;

  // The largest message, put together, 1 KiB to 2 GiB: a larger one ends its call with
  // RESOURCE_EXHAUSTED.
  std::size_t message_bytes = 4 * 1024 * 1024;
};

// A message on its way out, in the call's content type.
struct WrittenMessage {
  WrittenMessage() = default;

  absl::Status status;  // Why it cannot be sent, if so: the call ends with it.
  std::string payload;
  Metadata metadata;  // Goes with it: what a handler says with its first message.
};

// What readers and writers stand on; for generated code, and for calls by descriptor. Any thread.
class MessageStream {
 public:
  virtual ~MessageStream() = default;

  // Completes with true when `message`, which lives until then, is filled; with false when
  // no more come, or the token's slot fired: then the next Read() gets what this one would have.
  // With false, too, beside another Read() and after Finish().
  virtual void Read(google::protobuf::Message& message, mqtt::Completion<bool> done) = 0;

  virtual WrittenMessage Prepare(const google::protobuf::Message& message) = 0;
  // Completes with false if the call is over. An end by the token's slot ends the call.
  virtual void Write(WrittenMessage message, mqtt::Completion<bool> done) = 0;

  // No more writes follow. The calling side only.
  virtual void WritesDone() = 0;

  // How the call ended; what was not read is thrown away. Once. The calling side only.
  virtual void Finish(mqtt::Completion<absl::Status> done) = 0;

  // Ends the call early, if it has not ended. The calling side only.
  virtual void Cancel() = 0;

  // Messages that never arrived, of a method whose messages may be lost (QoS 0), as far
  // as it is known: in PUBLISH packets.
  virtual std::uint64_t lost() const = 0;
};

// What readers and writers share; generated code names the classes below it.
namespace internal {

template <typename T>
struct PendingRead {
  explicit PendingRead(mqtt::Completion<std::optional<T>> done_in) : done(std::move(done_in)) {}
  mqtt::Completion<std::optional<T>> done;
  T message;
};

template <typename T, typename Token>
auto ReadFrom(std::shared_ptr<MessageStream> stream, Token&& token) {
  return mqtt::Initiate<std::optional<T>>(std::forward<Token>(token),
                                          [stream = std::move(stream)](mqtt::Completion<std::optional<T>> done) {
                                            const asio::cancellation_slot slot = done.slot();
                                            auto pending = std::make_unique<PendingRead<T>>(std::move(done));
                                            T& into = pending->message;
                                            stream->Read(into, mqtt::Completion<bool>(
                                                                   [pending = std::move(pending)](bool read) {
                                                                     if (read) {
                                                                       pending->done(std::move(pending->message));
                                                                     } else {
                                                                       pending->done(std::nullopt);
                                                                     }
                                                                   },
                                                                   slot));
                                          });
}

template <typename Token>
auto WriteTo(std::shared_ptr<MessageStream> stream, WrittenMessage written, Token&& token) {
  return mqtt::Initiate<bool>(
      std::forward<Token>(token),
      [stream = std::move(stream)](mqtt::Completion<bool> done, WrittenMessage what) {
        stream->Write(std::move(what), std::move(done));
      },
      std::move(written));
}

// A call under way on the calling side, which ends with its owner. Movable.
class CallerStream {
 public:
  explicit CallerStream(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}
  CallerStream(CallerStream&&) noexcept = default;
  CallerStream& operator=(CallerStream&& other) noexcept {
    if (this != &other) {
      if (stream_ != nullptr) stream_->Cancel();
      stream_ = std::move(other.stream_);
    }
    return *this;
  }
  ~CallerStream() {
    if (stream_ != nullptr) stream_->Cancel();
  }

  // Ends the call early; Finish() then says kCancelled.
  void Cancel() { stream_->Cancel(); }

 protected:
  const std::shared_ptr<MessageStream>& stream() const { return stream_; }

 private:
  std::shared_ptr<MessageStream> stream_;
};

// What a handler has of its call.
class HandlerStream {
 public:
  explicit HandlerStream(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}

 protected:
  const std::shared_ptr<MessageStream>& stream() const { return stream_; }

 private:
  std::shared_ptr<MessageStream> stream_;
};

// `Base` with what reads.
template <typename Message, typename Base>
class Reads : public Base {
 public:
  using Base::Base;

  // Completes with std::optional<Message>: the next one, or nothing when no more come. That
  // is so when the other side has said that none follow, and when the call is over: then
  // Finish() says why, or ServerContext::cancelled() is true. Nothing, too, when the token's
  // slot fires: no message is lost by that, read again.
  template <typename Token = mqtt::DefaultToken>
  auto Read(Token&& token = Token()) {
    return ReadFrom<Message>(this->stream(), std::forward<Token>(token));
  }

  // See MessageStream::lost().
  std::uint64_t lost() const { return this->stream()->lost(); }
};

// `Base` with what writes.
template <typename Message, typename Base>
class Writes : public Base {
 public:
  using Base::Base;

  // Completes with bool: false if the call is over; then Finish() says why, or
  // ServerContext::cancelled() is true. `message` is only read before this returns.
  template <typename Token = mqtt::DefaultToken>
  auto Write(const Message& message, Token&& token = Token()) {
    return WriteTo(this->stream(), this->stream()->Prepare(message), std::forward<Token>(token));
  }
};

// So on the calling side.
template <typename Request, typename Base>
class WritesRequests : public Writes<Request, Base> {
 public:
  using Writes<Request, Base>::Writes;

  // No more requests follow.
  void WritesDone() { this->stream()->WritesDone(); }
};

}  // namespace internal

// --- The calling side. Movable. Destroyed before the call has ended, it cancels it.

// Many replies come: Read(), then Finish().
template <typename Reply>
class ClientReader : public internal::Reads<Reply, internal::CallerStream> {
 public:
  using internal::Reads<Reply, internal::CallerStream>::Reads;

  // Completes with absl::Status: how the call ended, as Channel says it. What was not
  // read is thrown away. Once.
  template <typename Token = mqtt::DefaultToken>
  auto Finish(Token&& token = Token()) {
    return mqtt::Initiate<absl::Status>(
        std::forward<Token>(token),
        [stream = this->stream()](mqtt::Completion<absl::Status> done) { stream->Finish(std::move(done)); });
  }
};

// Many requests go, one reply comes at the end: Write(), then Finish().
template <typename Request, typename Reply>
class ClientWriter : public internal::WritesRequests<Request, internal::CallerStream> {
 public:
  // `reply` is filled by the stream before Finish() completes.
  ClientWriter(std::shared_ptr<MessageStream> stream, std::shared_ptr<Reply> reply)
      : internal::WritesRequests<Request, internal::CallerStream>(std::move(stream)), reply_(std::move(reply)) {}

  // Says WritesDone() and completes with absl::StatusOr<Reply>. Once.
  template <typename Token = mqtt::DefaultToken>
  auto Finish(Token&& token = Token()) {
    return mqtt::Initiate<absl::StatusOr<Reply>>(
        std::forward<Token>(token),
        [stream = this->stream(), reply = reply_](mqtt::Completion<absl::StatusOr<Reply>> done) {
          stream->WritesDone();
          const asio::cancellation_slot slot = done.slot();
          stream->Finish(mqtt::Completion<absl::Status>(
              [done = std::move(done), reply](absl::Status status) mutable {
                if (status.ok()) {
                  done(std::move(*reply));
                } else {
                  done(std::move(status));
                }
              },
              slot));
        });
  }

 private:
  std::shared_ptr<Reply> reply_;
};

// Both ways at the same time: a reader that writes, too.
template <typename Request, typename Reply>
class ClientReaderWriter : public internal::WritesRequests<Request, ClientReader<Reply>> {
 public:
  using internal::WritesRequests<Request, ClientReader<Reply>>::WritesRequests;
};

// --- The serving side. Belong to the handler: not to be used after it has ended.

// Reads a caller's requests: Read().
template <typename Request>
class ServerReader : public internal::Reads<Request, internal::HandlerStream> {
 public:
  using internal::Reads<Request, internal::HandlerStream>::Reads;
};

// Writes replies: Write().
template <typename Reply>
class ServerWriter : public internal::Writes<Reply, internal::HandlerStream> {
 public:
  using internal::Writes<Reply, internal::HandlerStream>::Writes;
};

// Both.
template <typename Request, typename Reply>
class ServerReaderWriter : public internal::Writes<Reply, ServerReader<Request>> {
 public:
  using internal::Writes<Reply, ServerReader<Request>>::Writes;
};

}  // namespace mqttrpc
