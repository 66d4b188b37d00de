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
  std::size_t frame_bytes = 16 * 1024;

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
auto WriteTo(std::shared_ptr<MessageStream> stream, const google::protobuf::Message& message, Token&& token) {
  WrittenMessage written = stream->Prepare(message);
  return mqtt::Initiate<bool>(
      std::forward<Token>(token),
      [stream = std::move(stream)](mqtt::Completion<bool> done, WrittenMessage what) {
        stream->Write(std::move(what), std::move(done));
      },
      std::move(written));
}

template <typename Token>
auto FinishOf(std::shared_ptr<MessageStream> stream, Token&& token) {
  return mqtt::Initiate<absl::Status>(
      std::forward<Token>(token),
      [stream = std::move(stream)](mqtt::Completion<absl::Status> done) { stream->Finish(std::move(done)); });
}

// A call under way on the calling side, which ends with its owner.
class OwnedStream {
 public:
  explicit OwnedStream(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}
  OwnedStream(OwnedStream&&) noexcept = default;
  OwnedStream& operator=(OwnedStream&& other) noexcept {
    if (this != &other) {
      if (stream_ != nullptr) stream_->Cancel();
      stream_ = std::move(other.stream_);
    }
    return *this;
  }
  ~OwnedStream() {
    if (stream_ != nullptr) stream_->Cancel();
  }
  const std::shared_ptr<MessageStream>& operator*() const { return stream_; }

 private:
  std::shared_ptr<MessageStream> stream_;
};

}  // namespace internal

// --- The calling side. Movable. Destroyed before the call has ended, it cancels it.

// Many replies come.
template <typename Reply>
class ClientReader {
 public:
  explicit ClientReader(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}

  // Completes with std::optional<Reply>: the next one, or nothing when no more come
  // (or the token's slot fired: nothing is lost by that, read again).
  template <typename Token = mqtt::DefaultToken>
  auto Read(Token&& token = Token()) {
    return internal::ReadFrom<Reply>(*stream_, std::forward<Token>(token));
  }

  // Completes with absl::Status: how the call ended, as Channel says it. What was not
  // read is thrown away. Once.
  template <typename Token = mqtt::DefaultToken>
  auto Finish(Token&& token = Token()) {
    return internal::FinishOf(*stream_, std::forward<Token>(token));
  }

  // Ends the call early; Finish() then says kCancelled.
  void Cancel() { (*stream_)->Cancel(); }

  // See MessageStream::lost().
  std::uint64_t lost() const { return (*stream_)->lost(); }

 private:
  internal::OwnedStream stream_;
};

// Many requests go; one reply comes at the end.
template <typename Request, typename Reply>
class ClientWriter {
 public:
  // `reply` is filled by the stream before Finish() completes.
  ClientWriter(std::shared_ptr<MessageStream> stream, std::shared_ptr<Reply> reply)
      : stream_(std::move(stream)), reply_(std::move(reply)) {}

  // Completes with bool: false if the call is over, and Finish() says why. `request` is
  // only read before this returns.
  template <typename Token = mqtt::DefaultToken>
  auto Write(const Request& request, Token&& token = Token()) {
    return internal::WriteTo(*stream_, request, std::forward<Token>(token));
  }

  // No more requests follow.
  void WritesDone() { (*stream_)->WritesDone(); }

  // Says WritesDone() and completes with absl::StatusOr<Reply>. Once.
  template <typename Token = mqtt::DefaultToken>
  auto Finish(Token&& token = Token()) {
    return mqtt::Initiate<absl::StatusOr<Reply>>(
        std::forward<Token>(token), [stream = *stream_, reply = reply_](mqtt::Completion<absl::StatusOr<Reply>> done) {
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

  void Cancel() { (*stream_)->Cancel(); }

 private:
  internal::OwnedStream stream_;
  std::shared_ptr<Reply> reply_;
};

// Both ways at the same time.
template <typename Request, typename Reply>
class ClientReaderWriter {
 public:
  explicit ClientReaderWriter(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}

  // As in ClientReader.
  template <typename Token = mqtt::DefaultToken>
  auto Read(Token&& token = Token()) {
    return internal::ReadFrom<Reply>(*stream_, std::forward<Token>(token));
  }

  // As in ClientWriter.
  template <typename Token = mqtt::DefaultToken>
  auto Write(const Request& request, Token&& token = Token()) {
    return internal::WriteTo(*stream_, request, std::forward<Token>(token));
  }
  void WritesDone() { (*stream_)->WritesDone(); }

  template <typename Token = mqtt::DefaultToken>
  auto Finish(Token&& token = Token()) {
    return internal::FinishOf(*stream_, std::forward<Token>(token));
  }
  void Cancel() { (*stream_)->Cancel(); }
  std::uint64_t lost() const { return (*stream_)->lost(); }

 private:
  internal::OwnedStream stream_;
};

// --- The serving side. Belong to the handler: not to be used after it has ended.

// Reads a caller's requests.
template <typename Request>
class ServerReader {
 public:
  explicit ServerReader(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}

  // Completes with std::optional<Request>: nothing when the caller has said that no more
  // follow, or is gone (ServerContext::cancelled()).
  template <typename Token = mqtt::DefaultToken>
  auto Read(Token&& token = Token()) {
    return internal::ReadFrom<Request>(stream_, std::forward<Token>(token));
  }

  // See MessageStream::lost().
  std::uint64_t lost() const { return stream_->lost(); }

 private:
  std::shared_ptr<MessageStream> stream_;
};

// Writes replies.
template <typename Reply>
class ServerWriter {
 public:
  explicit ServerWriter(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}

  // Completes with bool: false if nobody reads any more (ServerContext::cancelled()).
  // `reply` is only read before this returns.
  template <typename Token = mqtt::DefaultToken>
  auto Write(const Reply& reply, Token&& token = Token()) {
    return internal::WriteTo(stream_, reply, std::forward<Token>(token));
  }

 private:
  std::shared_ptr<MessageStream> stream_;
};

// Both.
template <typename Request, typename Reply>
class ServerReaderWriter {
 public:
  explicit ServerReaderWriter(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}

  template <typename Token = mqtt::DefaultToken>
  auto Read(Token&& token = Token()) {
    return internal::ReadFrom<Request>(stream_, std::forward<Token>(token));
  }
  template <typename Token = mqtt::DefaultToken>
  auto Write(const Reply& reply, Token&& token = Token()) {
    return internal::WriteTo(stream_, reply, std::forward<Token>(token));
  }
  std::uint64_t lost() const { return stream_->lost(); }

 private:
  std::shared_ptr<MessageStream> stream_;
};

}  // namespace mqttrpc
