// A server's dispatcher, and handlers that read, write, end and vanish, as a fuzzer's input says.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/wrappers.pb.h>

#include "frames_input.h"
#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"
#include "rpc/dispatcher_host.h"
#include "rpc/messages.h"

namespace mqttrpc::test {

using Text = google::protobuf::BytesValue;

inline constexpr MethodInfo kMethods[] = {
    {.name = "Unary"},
    {.name = "Down", .kind = MethodKind::kServerStreaming},
    {.name = "Up", .kind = MethodKind::kClientStreaming},
    {.name = "Both", .kind = MethodKind::kBidiStreaming},
    {.name = "Lossy", .qos = mqtt::QoS::kAtMostOnce, .kind = MethodKind::kBidiStreaming},
};
inline constexpr ServiceInfo kService{.name = "x.Any", .methods = kMethods};

// Its calls stay open until the input ends them.
class OpenService final : public Service {
 public:
  const ServiceInfo& info() const override { return kService; }
  void Serve(std::size_t method, ServerCall call) override {
    Open open{std::move(call), kMethods[method], nullptr};
    if (!open.method.streams_requests()) {
      Text request;
      if (!open.call.ReadRequest(request)) return;
    }
    if (open.method.kind != MethodKind::kUnary) open.stream = open.call.stream();
    calls.push_back(std::move(open));
  }

  struct Open {
    ServerCall call;
    MethodInfo method;
    std::shared_ptr<MessageStream> stream;
  };
  std::deque<Open> calls;
};

class DispatcherRun final : public DispatcherHost {
 public:
  explicit DispatcherRun(Input& in) : in_(in), at_once_(in.Byte() % 2 == 1) {
    options_.maximum_calls = kCalls;
    options_.maximum_waiting_bytes = 2'000;
    options_.limits.frames = 16;
    options_.limits.frame_bytes = 64;
    options_.limits.message_bytes = 200;
    options_.reply_cache_bytes = 5'000;
    MakeDispatcher(options_, mqtt::NoLog(), "dev");
    dispatcher_->Add(service_);
    dispatcher_->Connected(false, 1'000, 10, now_);
  }
  ~DispatcherRun() {
    service_.calls.clear();
    Settle();
  }

  void Run() {
    for (int i = 0; i < 2'000 && !in_.empty(); ++i) {
      Happen();
      Settle();
      Check(dispatcher_->running() + dispatcher_->held() <= kCalls, "more calls than the maximum");
    }
    Finish();
  }

  // DispatcherShell
  void SendAnswer(mqtt::Message message) override { CheckSent(message); }
  void SendFrame(mqtt::Message message, std::shared_ptr<ServerCall::State> fragment_of, std::size_t bytes) override {
    CheckSent(message);
    if (fragment_of == nullptr) return;
    // A client may know at once.
    if (at_once_) return dispatcher_->FrameSent(*fragment_of, bytes, absl::OkStatus(), now_);
    sent_.emplace_back(std::move(fragment_of), bytes);
  }
  void Step(mqtt::Completion<bool> done, bool yes) override { steps_.emplace_back(std::move(done), yes); }

 private:
  static constexpr std::size_t kCalls = 8;

  static void CheckSent(const mqtt::Message& message) {
    Check(message.topic_name.starts_with("rpc1/r/"), "a foreign topic");
    Check(mqtt::CheckTopicName(message.topic_name).ok(), "a topic that is none");
  }

  // What handlers wait for, and what they said, comes when a turn is over.
  void Settle() {
    do {
      io_.restart();
      io_.poll();
      for (auto& [done, yes] : std::exchange(steps_, {})) done(yes);
    } while (!steps_.empty());
  }

  void Arrive(mqtt::Message message, std::string_view id) {
    message.properties.Set(mqtt::property::kCorrelationData, id);
    message.properties.Set(mqtt::property::kResponseTopic, "rpc1/r/me/1");
    dispatcher_->Arrived(View(message), now_);
  }
  std::string Id() { return std::string(1, static_cast<char>('a' + in_.Byte() % 12)); }
  void AddNumbers(mqtt::Message& message) {
    static constexpr std::string_view kNames[] = {"rpc-len", "rpc-crc", "rpc-mps", "rpc-ack", "rpc-idle", "rpc-tmo"};
    for (std::uint8_t marks = in_.Byte(); marks > 0 && marks < 64; marks &= static_cast<std::uint8_t>(marks - 1)) {
      const int which = __builtin_ctz(marks);
      AddUserProperty(message, kNames[which], std::to_string(in_.Number() * (which == 5 ? 100 : 1)));
    }
  }
  std::string Payload() {
    Text text;
    const std::uint8_t choice = in_.Byte();
    if (choice >= 200) return std::string(in_.Text());
    text.set_value(std::string(choice, 'x'));
    return text.SerializeAsString();
  }

  void Request() {
    mqtt::Message message(std::string("rpc1/q/x.Any/dev/") + std::string(kMethods[in_.Byte() % 5].name) + "/me", "");
    const std::string id = Id();
    if (const std::string frame = in_.FrameText(); !frame.empty()) AddUserProperty(message, "rpc-f", frame);
    AddNumbers(message);
    message.payload = Payload();
    Arrive(std::move(message), id);
  }
  // So that most calls come about.
  void GoodRequest() {
    const MethodInfo& method = kMethods[in_.Byte() % 5];
    mqtt::Message message(std::string("rpc1/q/x.Any/dev/") + std::string(method.name) + "/me", "");
    AddUserProperty(message, "rpc-f", method.streams_requests() ? "o:16-" : "o:16");
    Arrive(std::move(message), Id());
  }
  void Later() {
    mqtt::Message message("rpc1/u/dev/me", "");
    const std::string id = Id();
    AddUserProperty(message, "rpc-f", in_.FrameText());
    AddNumbers(message);
    message.payload = Payload();
    Arrive(std::move(message), id);
  }
  void PlainLater() {
    mqtt::Message message("rpc1/u/dev/me", "");
    const std::string id = Id();
    AddUserProperty(message, "rpc-f", in_.FrameText());
    Arrive(std::move(message), id);
  }

  OpenService::Open* OneCall() {
    return service_.calls.empty() ? nullptr : &service_.calls[in_.Byte() % service_.calls.size()];
  }
  void Read() {
    OpenService::Open* open = OneCall();
    if (open == nullptr || open->stream == nullptr || !open->method.streams_requests()) return;
    auto into = std::make_shared<Text>();
    open->stream->Read(*into, mqtt::Completion<bool>([into](bool) {}));
  }
  void Write() {
    OpenService::Open* open = OneCall();
    if (open == nullptr || open->stream == nullptr || !open->method.streams_replies()) return;
    Text text;
    text.set_value(std::string(std::size_t{4} * in_.Byte(), 'y'));
    open->stream->Write(open->stream->Prepare(text), mqtt::Completion<bool>([](bool) {}));
  }
  void EndCall() {
    OpenService::Open* open = OneCall();
    if (open == nullptr) return;
    Text reply;
    const std::uint8_t how = in_.Byte();
    reply.set_value(std::string(std::size_t{8} * how, 'z'));
    if (how % 4 == 0) {
      open->call.Finish(absl::NotFoundError("nothing"), nullptr);
    } else if (how % 4 != 1) {
      open->call.Finish(absl::OkStatus(), &reply);
    }
    std::swap(*open, service_.calls.back());
    service_.calls.pop_back();
  }
  void Acknowledge(absl::Status status) {
    if (sent_.empty()) return;
    auto [call, bytes] = std::move(sent_.front());
    sent_.pop_front();
    dispatcher_->FrameSent(*call, bytes, status, now_);
  }
  void Wait(mqtt::Duration time) {
    now_ += time;
    dispatcher_->TimeIs(now_);
    Check(dispatcher_->Next() > now_, "it wakes for ever");
  }

  void Happen() {
    switch (in_.Byte() % 12) {
      case 0: return Request();
      case 1: return GoodRequest();
      case 2: return Later();
      case 3:
      case 4: return PlainLater();
      case 5: return Read();
      case 6: return Write();
      case 7: return EndCall();
      case 8:
      case 9: return Acknowledge(absl::OkStatus());
      case 10: return Wait(in_.Time());
      default: Rarely();
    }
  }
  void Rarely() {
    switch (in_.Byte() % 7) {
      case 0: return dispatcher_->Disconnected(now_);
      case 1: return dispatcher_->Connected(in_.Byte() % 2 == 0, 1'000, 10, now_);
      case 2: return Acknowledge(mqtt::StatusFrom(mqtt::ReasonCode::kPacketTooLarge, "too large"));
      case 3: return Acknowledge(absl::CancelledError("lost"));
      case 5: return Acknowledge(absl::ResourceExhaustedError("queue is full"));
      case 4: return dispatcher_->CancelAll(absl::UnavailableError("stop"), now_);
      default: dispatcher_->CancelAll(absl::OkStatus(), now_);
    }
  }

  // Whatever it was: nothing is left, and there is room for new calls.
  void Finish() {
    dispatcher_->Connected(true, 1'000, 10, now_);
    dispatcher_->CancelAll(absl::UnavailableError("stop"), now_);
    service_.calls.clear();
    Settle();
    while (!sent_.empty()) Acknowledge(absl::OkStatus());
    Settle();
    Check(dispatcher_->running() == 0 && dispatcher_->held() == 0, "calls are left");
    Check(dispatcher_->Next() == mqtt::kNever, "alarms are left");
    mqtt::Message opening("rpc1/q/x.Any/dev/Up/me", "");
    AddUserProperty(opening, "rpc-f", "o:16-");
    Arrive(std::move(opening), "new");
    Check(service_.calls.size() == 1, "there is no room for a new call");
    Text text;
    text.set_value(std::string(50, 'x'));
    for (int i = 0; i < 16; ++i) {
      mqtt::Message message("rpc1/u/dev/me", text.SerializeAsString());
      AddUserProperty(message, "rpc-f", "m:" + std::to_string(i));
      Arrive(std::move(message), "new");
    }
    Check(!service_.calls[0].call.context().cancelled(), "there is no room for a new call's messages");
  }

  Input& in_;
  const bool at_once_;  // Frames are acknowledged at once, else when the input says so.
  ServerOptions options_;
  OpenService service_;
  std::deque<std::pair<std::shared_ptr<ServerCall::State>, std::size_t>> sent_;
  std::vector<std::pair<mqtt::Completion<bool>, bool>> steps_;
};

}  // namespace mqttrpc::test
