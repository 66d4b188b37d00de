// A stream's reader and writer on the calling side: from any thread to the channel's executor.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include <asio/post.hpp>

#include "channel_impl.h"

namespace mqttrpc {

class Channel::Stream final : public MessageStream {
 public:
  Stream(std::shared_ptr<Impl> impl, std::shared_ptr<ChannelCall> call)
      : impl_(std::move(impl)), call_(std::move(call)) {}
  ~Stream() override;

  void Read(google::protobuf::Message& message, mqtt::Completion<bool> done) override;
  WrittenMessage Prepare(const google::protobuf::Message& message) override;
  void Write(WrittenMessage message, mqtt::Completion<bool> done) override;
  void WritesDone() override;
  void Finish(mqtt::Completion<absl::Status> done) override;
  void Cancel() override;
  std::uint64_t lost() const override { return call_->lost.load(std::memory_order_relaxed); }

 private:
  // With the interceptors between the call and `done`.
  mqtt::Completion<bool> ReadThroughChain(google::protobuf::Message& message, mqtt::Completion<bool> done) const;

  // Runs `act(Impl&, ChannelCall&)` on the executor: at once if this is it, and the call has
  // begun. One that another thread opened may still be on its way here.
  template <typename Act>
  void Do(Act act) {
    impl_->executor().execute([impl = impl_, call = call_, act = std::move(act)]() mutable {
      if (!impl->HasNotBegun(*call)) return act(*impl, *call);
      asio::post(impl->executor(), [impl, call, act = std::move(act)]() mutable { act(*impl, *call); });
    });
  }

  const std::shared_ptr<Impl> impl_;
  const std::shared_ptr<ChannelCall> call_;
  std::atomic<bool> finished_ = false;  // Of a call that interceptors follow.
};

}  // namespace mqttrpc
