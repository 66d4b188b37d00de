// Any frames at any time. The first byte of the input chooses what hears them: the grammar,
// one side of a call, or a server's dispatcher with handlers that read, write, end and
// vanish; the rest is what happens, byte by byte.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/wrappers.pb.h>
#include <asio/io_context.hpp>

#include "call_flow.h"
#include "dispatcher.h"
#include "fuzz_seeds.h"
#include "mqttrpc/mqtt/topic.h"
#include "rpc/messages.h"
#include "rpc1.h"

namespace {

using namespace mqttrpc;
using std::chrono::milliseconds;

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// The input, piece by piece; zeros when it is used up.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  std::string_view Text() {
    const std::string_view text = bytes_.substr(0, Byte());
    bytes_.remove_prefix(std::min(text.size(), bytes_.size()));
    return text;
  }
  // Mostly small, sometimes as large as can be.
  std::uint64_t Number() {
    const std::uint8_t byte = Byte();
    return byte < 250 ? byte : kMaximumSequence - (255 - byte);
  }
  mqtt::Duration Time() { return milliseconds(std::uint64_t{1} << Byte() % 24); }
  std::string FrameText() {
    static constexpr Frame::Kind kKinds[] = {Frame::Kind::kMessage, Frame::Kind::kWindow, Frame::Kind::kEnd,
                                             Frame::Kind::kPing,    Frame::Kind::kPong,   Frame::Kind::kOpen,
                                             Frame::Kind::kAccept,  Frame::Kind::kCancel};
    const std::uint8_t choice = Byte();
    if (choice >= 240) return std::string(Text());
    Frame frame(kKinds[choice % 8]);
    const std::uint8_t marks = choice / 8;
    if (frame.kind != Frame::Kind::kCancel) frame.number = Number();
    if (frame.kind == Frame::Kind::kWindow) {
      frame.limit = std::min(frame.number + Byte(), kMaximumSequence);
      frame.again = marks % 2 == 1;
    }
    if (frame.kind == Frame::Kind::kOpen || frame.kind == Frame::Kind::kMessage) frame.more = marks % 4 == 1;
    if (frame.kind == Frame::Kind::kOpen) frame.empty = marks % 4 == 2;
    return frame.Text();
  }

 private:
  std::string_view bytes_;
};

void ReadGrammar(std::string_view text) {
  const auto frame = ParseFrame(text);
  if (!frame.has_value()) return;
  Check(frame->number <= kMaximumSequence && frame->limit <= kMaximumSequence, "a number is too large");
  Check(ParseFrame(frame->Text()) == frame, "a frame is read otherwise than it was written");
}

// --- One side of a call

class FlowRun {
 public:
  FlowRun(Input& in, bool caller) : in_(in), options_(OptionsOf(in.Byte(), caller)), flow_(options_, now_) {
    flow_.sending().set_room(10);
    if (options_.opens_with_message && caller) {
      Write("the request");
      flow_.sending().Grant(limit_ = 1);
    }
  }

  void Run() {
    for (int i = 0; i < 2'000 && !in_.empty(); ++i) {
      const absl::Status status = Happen();
      CheckMemory();
      if (!status.ok()) break;  // The call ends.
    }
    flow_.receiving().Discard();
    Check(flow_.receiving().bytes() == 0, "memory is not given back");
  }

 private:
  static constexpr std::size_t kFrames = 16, kFrameBytes = 32, kMessageBytes = 100, kPayload = 255;

  static FlowOptions OptionsOf(std::uint8_t choice, bool caller) {
    FlowOptions options;
    options.caller = caller;
    options.sends_reliably = choice % 2 == 0;
    options.receives_reliably = choice % 4 < 2;
    options.opens_with_message = choice % 4 >= 2;
    options.limits.frames = kFrames;
    options.limits.frame_bytes = kFrameBytes;
    options.limits.message_bytes = kMessageBytes;
    if (caller || choice % 8 >= 4) options.idle = std::chrono::seconds(1);
    return options;
  }

  FragmentIn Fragment() {
    FragmentIn fragment;
    fragment.sequence = in_.Number();
    const std::uint8_t marks = in_.Byte();
    fragment.more = marks % 2 == 1;
    if (marks % 4 >= 2) fragment.length = in_.Number();
    if (marks % 8 >= 4) fragment.checksum = in_.Byte();
    fragment.payload = in_.Text();
    return fragment;
  }

  void Write(std::string text) {
    written_ += text.size();
    flow_.sending().Write(std::move(text));
    flow_.Written(now_);
  }

  absl::Status Happen() {
    switch (in_.Byte() % 16) {
      case 0: flow_.Heard(now_); break;
      case 1: {
        const std::uint64_t limit = in_.Number();
        limit_ = std::max(limit_, limit);
        flow_.Accepted(limit);
        break;
      }
      case 2: return flow_.Message(Fragment(), now_);
      case 3: return flow_.End(Fragment(), options_.opens_with_message, now_);
      case 4: return Control();
      case 5: flow_.Opened(now_, in_.Time()); break;
      case 6: flow_.Connected(in_.Byte() % 2 == 0, now_); break;
      case 7: flow_.Disconnected(now_); break;
      case 8: flow_.OweAccept(); break;
      case 9: flow_.OweAcceptAt(now_ + in_.Time()); break;
      case 10: return TakeMessage();
      case 11:
        if (!ended_) Write(std::string(in_.Text()));
        break;
      case 12: End(); break;
      case 13: return Wait();
      case 14: Send(); break;
      default: Rarely();
    }
    return absl::OkStatus();
  }

  void Rarely() {
    switch (in_.Byte() % 4) {
      case 0: flow_.receiving().Discard(); break;
      case 1:
        if (ended_ && !options_.caller) flow_.Linger(now_);
        break;
      case 2: flow_.receiving().PassThrough(Fragment()); break;
      default: flow_.sending().set_room(1 + in_.Byte());
    }
  }

  absl::Status Control() {
    const auto frame = ParseFrame(in_.FrameText());
    if (!frame.has_value()) return absl::OkStatus();
    absl::Status status = flow_.Control(*frame, now_);
    if (status.ok() && frame->kind == Frame::Kind::kWindow) limit_ = std::max(limit_, frame->limit);
    return status;
  }

  absl::Status TakeMessage() {
    const auto message = flow_.receiving().TakeMessage();
    if (!message.ok()) return message.status();
    if (message->has_value()) Check((*message)->size() <= kMessageBytes, "a message over its limit");
    flow_.Taken();
    return absl::OkStatus();
  }

  void End() {
    if (std::exchange(ended_, true)) return;
    const std::string_view last = in_.Text();
    written_ += last.size();
    if (last.empty()) {
      flow_.sending().End();
    } else {
      flow_.sending().EndWith(std::string(last));
    }
  }

  absl::Status Wait() {
    now_ += in_.Time();
    absl::Status status = flow_.TimeIs(now_);
    if (status.ok()) Check(flow_.WakeAt() > now_, "it wakes for ever");
    return status;
  }

  void Send() {
    int frames = 0;
    while (const auto frame = flow_.TakeControl()) {
      Check(++frames < 10, "it has to say more and more");
      Check(ParseFrame(frame->Text()) == frame, "a frame that is none");
      if (frame->kind != Frame::Kind::kWindow) continue;
      Check(frame->number >= said_next_ && frame->limit >= said_limit_ && frame->limit >= frame->number,
            "our own window shrinks");
      said_next_ = frame->number;
      said_limit_ = frame->limit;
    }
    if (!flow_.sending().HasFragment()) return;
    const FragmentOut fragment = flow_.sending().Take();
    Check(fragment.end || fragment.sequence < limit_, "a frame past the other side's limit");
    Check(fragment.sequence < flow_.sending().frames_sent(), "a frame is not counted");
  }

  void CheckMemory() {
    // The first frame and the end may be larger: they come before anyone said how much.
    Check(flow_.receiving().bytes() <= kFrames * kFrameBytes + kMessageBytes + 2 * kPayload, "too much waits");
    Check(flow_.sending().bytes() <= written_, "more is kept than was written");
    Check(flow_.receiving().next() <= flow_.receiving().granted() + 1, "more came than was granted");
  }

  Input& in_;
  const FlowOptions options_;
  mqtt::TimePoint now_{std::chrono::hours(1)};
  CallFlow flow_;
  std::uint64_t limit_ = 0;
  std::uint64_t said_next_ = 0, said_limit_ = 0;
  std::size_t written_ = 0;
  bool ended_ = false;
};

// --- A server's dispatcher

using Text = google::protobuf::BytesValue;

constexpr MethodInfo kMethods[] = {
    {.name = "Unary"},
    {.name = "Down", .kind = MethodKind::kServerStreaming},
    {.name = "Up", .kind = MethodKind::kClientStreaming},
    {.name = "Both", .kind = MethodKind::kBidiStreaming},
    {.name = "Lossy", .qos = mqtt::QoS::kAtMostOnce, .kind = MethodKind::kBidiStreaming},
};
constexpr ServiceInfo kService{.name = "x.Any", .methods = kMethods};

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

class DispatcherRun final : public DispatcherShell {
 public:
  explicit DispatcherRun(Input& in) : in_(in), at_once_(in.Byte() % 2 == 1) {
    options_.maximum_calls = kCalls;
    options_.maximum_waiting_bytes = 2'000;
    options_.limits.frames = 16;
    options_.limits.frame_bytes = 64;
    options_.limits.message_bytes = 200;
    options_.reply_cache_bytes = 5'000;
    dispatcher_ = std::make_unique<Dispatcher>(options_, codec_, *this, mqtt::NoLog());
    dispatcher_->set_instance("dev");
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

 private:
  static constexpr std::size_t kCalls = 8;

  struct Sink final : AnswerSink {
    explicit Sink(DispatcherRun& run_in) : run(run_in) {}
    void HandlerEnded(ServerCall::State& call, Answer answer) override {
      run.dispatcher_->HandlerEnded(call, std::move(answer), run.now_);
    }
    void HandlerLost(ServerCall::State& call) override { run.dispatcher_->HandlerLost(call); }
    void Read(ServerCall::State& call, google::protobuf::Message& message, mqtt::Completion<bool> done,
              std::uint64_t number) override {
      run.dispatcher_->Read(call, message, std::move(done), number, run.now_);
    }
    void CancelRead(ServerCall::State& call, std::uint64_t number) override {
      run.dispatcher_->CancelRead(call, number);
    }
    void Write(ServerCall::State& call, WrittenMessage message, mqtt::Completion<bool> done) override {
      run.dispatcher_->Write(call, std::move(message), std::move(done), run.now_);
    }
    DispatcherRun& run;
  };

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
    dispatcher_->Arrived(test::View(message), now_);
  }
  std::string Id() { return std::string(1, static_cast<char>('a' + in_.Byte() % 12)); }
  void AddNumbers(mqtt::Message& message) {
    static constexpr std::string_view kNames[] = {"rpc-len", "rpc-crc", "rpc-mps", "rpc-ack", "rpc-idle", "rpc-tmo"};
    for (std::uint8_t marks = in_.Byte(); marks > 0 && marks < 64; marks &= static_cast<std::uint8_t>(marks - 1)) {
      const int which = __builtin_ctz(marks);
      test::AddUserProperty(message, kNames[which], std::to_string(in_.Number() * (which == 5 ? 100 : 1)));
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
    if (const std::string frame = in_.FrameText(); !frame.empty()) test::AddUserProperty(message, "rpc-f", frame);
    AddNumbers(message);
    message.payload = Payload();
    Arrive(std::move(message), id);
  }
  // So that most calls come about.
  void GoodRequest() {
    const MethodInfo& method = kMethods[in_.Byte() % 5];
    mqtt::Message message(std::string("rpc1/q/x.Any/dev/") + std::string(method.name) + "/me", "");
    test::AddUserProperty(message, "rpc-f", method.streams_requests() ? "o:16-" : "o:16");
    Arrive(std::move(message), Id());
  }
  void Later() {
    mqtt::Message message("rpc1/u/dev/me", "");
    const std::string id = Id();
    test::AddUserProperty(message, "rpc-f", in_.FrameText());
    AddNumbers(message);
    message.payload = Payload();
    Arrive(std::move(message), id);
  }
  void PlainLater() {
    mqtt::Message message("rpc1/u/dev/me", "");
    const std::string id = Id();
    test::AddUserProperty(message, "rpc-f", in_.FrameText());
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
    text.set_value(std::string(in_.Byte() * 4, 'y'));
    open->stream->Write(open->stream->Prepare(text), mqtt::Completion<bool>([](bool) {}));
  }
  void EndCall() {
    OpenService::Open* open = OneCall();
    if (open == nullptr) return;
    Text reply;
    const std::uint8_t how = in_.Byte();
    reply.set_value(std::string(how * 8, 'z'));
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
    switch (in_.Byte() % 6) {
      case 0: return dispatcher_->Disconnected(now_);
      case 1: return dispatcher_->Connected(in_.Byte() % 2 == 0, 1'000, 10, now_);
      case 2: return Acknowledge(absl::ResourceExhaustedError("too large"));
      case 3: return Acknowledge(absl::CancelledError("lost"));
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
    test::AddUserProperty(opening, "rpc-f", "o:16-");
    Arrive(std::move(opening), "new");
    Check(service_.calls.size() == 1, "there is no room for a new call");
    Text text;
    text.set_value(std::string(50, 'x'));
    for (int i = 0; i < 16; ++i) {
      mqtt::Message message("rpc1/u/dev/me", text.SerializeAsString());
      test::AddUserProperty(message, "rpc-f", "m:" + std::to_string(i));
      Arrive(std::move(message), "new");
    }
    Check(!service_.calls[0].call.context().cancelled(), "there is no room for a new call's messages");
  }

  Input& in_;
  const bool at_once_;  // Frames are acknowledged at once, else when the input says so.
  asio::io_context io_;
  ServerOptions options_;
  Rpc1 codec_{"rpc1"};
  mqtt::TimePoint now_{std::chrono::hours(1)};
  std::shared_ptr<Sink> sink_ = std::make_shared<Sink>(*this);
  OpenService service_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::deque<std::pair<std::shared_ptr<ServerCall::State>, std::size_t>> sent_;
  std::vector<std::pair<mqtt::Completion<bool>, bool>> steps_;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  std::vector<std::string> seeds;
  for (const char* text :
       {"o:16", "o:16+", "o:16-", "a:16", "m:0", "m:1+", "e:2", "c", "w:1:17", "w:1:17!", "p:3", "q:4"}) {
    seeds.push_back(std::string(1, '\0') + text);
  }
  // Each thing that can happen, twice over, with small numbers behind it.
  for (char who = 1; who <= 3; ++who) {
    for (char step = 1; step < 40; step = static_cast<char>(step + 3)) {
      std::string run(1, who);
      for (int i = 0; i < 400; ++i) run.push_back(static_cast<char>(i * step % 17));
      seeds.push_back(run);
    }
  }
  // A stream that is opened, read, written, and ended by both sides.
  seeds.push_back(std::string("\3\0\1\3\0\5\0\3\0\0\0\6\0\4\3\0\2\1\10\7\0\2\10\10\3\0\1\2\20", 29));
  mqttrpc::test::WriteSeeds(*argc, *argv, seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  Input in(rest);
  switch (data[0] % 4) {
    case 0: ReadGrammar(rest); break;
    case 1: FlowRun(in, true).Run(); break;
    case 2: FlowRun(in, false).Run(); break;
    default: DispatcherRun(in).Run();
  }
  return 0;
}
