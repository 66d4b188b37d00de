// Stands where a server stands around its Dispatcher: what calls want finds its way back.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <asio/io_context.hpp>

#include "dispatcher.h"
#include "rpc1.h"

namespace mqttrpc::test {

// Time is `now_`. What is sent, and when handlers go on, is left to who derives from this.
class DispatcherHost : public DispatcherShell {
 public:
  void CallReleased() override {}
  std::shared_ptr<const HandlerPlace> PlaceForHandler() override {
    auto place = std::make_shared<HandlerPlace>();
    place->sink = sink_;
    place->home = place->executor = io_.get_executor();
    return place;
  }
  void RunHandler(Service& service, std::size_t method, std::shared_ptr<ServerCall::State> call) override {
    service.Serve(method, ServerCall(call));
    if (call->linked()) call->OwnPayload();
  }

 protected:
  DispatcherHost() = default;
  ~DispatcherHost() = default;

  void MakeDispatcher(const ServerOptions& options, mqtt::LogSink& log, std::string instance) {
    dispatcher_ = std::make_unique<Dispatcher>(options, codec_, *this, log);
    dispatcher_->set_instance(std::move(instance));
  }

  struct Sink final : AnswerSink {
    explicit Sink(DispatcherHost& host_in) : host(host_in) {}
    void HandlerEnded(ServerCall::State& call, Answer answer) override {
      host.dispatcher_->HandlerEnded(call, std::move(answer), host.now_);
    }
    void HandlerLost(ServerCall::State& call) override { host.dispatcher_->HandlerLost(call); }
    void Read(ServerCall::State& call, google::protobuf::Message& message, mqtt::Completion<bool> done,
              std::uint64_t number) override {
      host.dispatcher_->Read(call, message, std::move(done), number, host.now_);
    }
    void CancelRead(ServerCall::State& call, std::uint64_t number) override {
      host.dispatcher_->CancelRead(call, number);
    }
    void Write(ServerCall::State& call, WrittenMessage message, mqtt::Completion<bool> done) override {
      host.dispatcher_->Write(call, std::move(message), std::move(done), host.now_);
    }
    void GiveUp(ServerCall::State& call, const absl::Status& why) override {
      host.dispatcher_->GiveUp(call, why, host.now_);
    }
    DispatcherHost& host;
  };

  asio::io_context io_;
  Rpc1 codec_{"rpc1"};
  mqtt::TimePoint now_{std::chrono::hours(1)};
  std::shared_ptr<Sink> sink_ = std::make_shared<Sink>(*this);
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace mqttrpc::test
