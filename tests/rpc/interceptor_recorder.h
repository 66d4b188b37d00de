// Interceptors that write down what they see, and do what a test tells them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mqttrpc/rpc/interceptor.h"

namespace mqttrpc::test {

// Shared: a call may end later than its test.
using Notes = std::shared_ptr<std::vector<std::string>>;

class RecordingClient final : public ClientInterceptor {
 public:
  RecordingClient(std::string name, Notes notes) : name_(std::move(name)), notes_(std::move(notes)) {}

  std::function<void(ClientCallInfo&)> begin;
  std::function<absl::Status(OutgoingMessage&)> send;
  std::function<absl::Status(google::protobuf::Message&)> receive;
  std::function<void(absl::Status&, CallInfo&)> end;
  bool follows = true;
  int begun = 0;
  int ended = 0;
  absl::Status last;  // What the last call ended with, before `end`.

  std::unique_ptr<ClientCallInterceptor> Begin(ClientCallInfo& call) override {
    Note("begin");
    if (begin) begin(call);
    if (!follows) return nullptr;
    ++begun;
    return std::make_unique<One>(*this);
  }

 private:
  struct One final : ClientCallInterceptor {
    explicit One(RecordingClient& all_in) : all(all_in) {}
    absl::Status OnSend(OutgoingMessage& request) override {
      all.Note("send");
      return all.send ? all.send(request) : absl::OkStatus();
    }
    absl::Status OnReceive(google::protobuf::Message& reply) override {
      all.Note("receive");
      return all.receive ? all.receive(reply) : absl::OkStatus();
    }
    void OnEnd(absl::Status& status, CallInfo& info) override {
      all.Note("end");
      ++all.ended;
      all.last = status;
      if (all.end) all.end(status, info);
    }
    RecordingClient& all;
  };

  void Note(const std::string& what) { notes_->push_back(name_ + " " + what); }

  const std::string name_;
  const Notes notes_;
};

class RecordingServer final : public ServerInterceptor {
 public:
  RecordingServer(std::string name, Notes notes) : name_(std::move(name)), notes_(std::move(notes)) {}

  std::function<void(ServerCallInfo&)> begin;
  std::function<absl::Status(google::protobuf::Message&)> receive;
  std::function<absl::Status(OutgoingMessage&)> send;
  std::function<void(absl::Status&, ServerContext&)> end;
  bool follows = true;
  int begun = 0;
  int ended = 0;
  absl::Status last;

  std::unique_ptr<ServerCallInterceptor> Begin(ServerCallInfo& call) override {
    Note("begin");
    if (begin) begin(call);
    if (!follows) return nullptr;
    ++begun;
    return std::make_unique<One>(*this, call.context());
  }

 private:
  struct One final : ServerCallInterceptor {
    One(RecordingServer& all_in, ServerContext& context_in) : all(all_in), context(context_in) {}
    absl::Status OnReceive(google::protobuf::Message& request) override {
      all.Note("receive");
      return all.receive ? all.receive(request) : absl::OkStatus();
    }
    absl::Status OnSend(OutgoingMessage& reply) override {
      all.Note("send");
      return all.send ? all.send(reply) : absl::OkStatus();
    }
    void OnEnd(absl::Status& status) override {
      all.Note("end");
      ++all.ended;
      all.last = status;
      if (all.end) all.end(status, context);
    }
    RecordingServer& all;
    ServerContext& context;
  };

  void Note(const std::string& what) { notes_->push_back(name_ + " " + what); }

  const std::string name_;
  const Notes notes_;
};

}  // namespace mqttrpc::test
