#include "channel_stream.h"

#include <asio/post.hpp>

#include "payload.h"

namespace mqttrpc {
namespace {

// Runs `act` on the executor, later: not inside the emit() of whoever cancels.
template <typename Act>
void OnSlot(asio::cancellation_slot slot, asio::any_io_executor executor, Act act) {
  if (!slot.is_connected()) return;
  slot.assign(
      [executor = std::move(executor), act = std::move(act)](asio::cancellation_type) { asio::post(executor, act); });
}

}  // namespace

Channel::Stream::~Stream() {
  if (call_->chain == nullptr || finished_) return;
  Do([](Impl& impl, ChannelCall& call) { impl.EndUntold(call); });
}

mqtt::Completion<bool> Channel::Stream::ReadThroughChain(google::protobuf::Message& message,
                                                         mqtt::Completion<bool> done) const {
  const asio::cancellation_slot slot = done.slot();
  return mqtt::Completion<bool>(
      [impl = impl_, call = call_, &message, done = std::move(done)](bool read) mutable {
        if (read) {
          if (const absl::Status status = call->chain->ReceivedNext(message); !status.ok()) {
            impl->GiveUp(*call, status);
            read = false;
          }
        }
        done(read);
      },
      slot);
}

void Channel::Stream::Read(google::protobuf::Message& message, mqtt::Completion<bool> done) {
  const std::uint64_t number = ++call_->reads;
  OnSlot(done.slot(), impl_->executor(), [impl = impl_, call = call_, number] { impl->CancelRead(*call, number); });
  if (call_->chain != nullptr) done = ReadThroughChain(message, std::move(done));
  Do([into = &message, done = std::move(done), number](Impl& impl, ChannelCall& call) mutable {
    impl.Read(call, *into, std::move(done), number);
  });
}

WrittenMessage Channel::Stream::Prepare(const google::protobuf::Message& message) {
  WrittenMessage written;
  if (call_->chain == nullptr) {
    written.status = WritePayload(message, call_->options.content_type, written.payload);
    return written;
  }
  written.status = call_->chain->WriteNext(message, call_->options.content_type, written.payload);
  return written;
}

void Channel::Stream::Write(WrittenMessage message, mqtt::Completion<bool> done) {
  OnSlot(done.slot(), impl_->executor(), [impl = impl_, call = call_] { impl->CancelCall(*call); });
  Do([message = std::move(message), done = std::move(done)](Impl& impl, ChannelCall& call) mutable {
    impl.Write(call, std::move(message), std::move(done));
  });
}

void Channel::Stream::WritesDone() {
  Do([](Impl& impl, ChannelCall& call) { impl.WritesDone(call); });
}

void Channel::Stream::Finish(mqtt::Completion<absl::Status> done) {
  OnSlot(done.slot(), impl_->executor(), [impl = impl_, call = call_] { impl->CancelCall(*call); });
  if (call_->chain != nullptr && !finished_.exchange(true)) {
    const asio::cancellation_slot slot = done.slot();
    done = mqtt::Completion<absl::Status>(ClientChain::EndBefore(call_->chain, call_->reply, std::move(done)), slot);
  }
  Do([done = std::move(done)](Impl& impl, ChannelCall& call) mutable { impl.Finish(call, std::move(done)); });
}

void Channel::Stream::Cancel() {
  Do([](Impl& impl, ChannelCall& call) { impl.CancelCall(call); });
}

}  // namespace mqttrpc
