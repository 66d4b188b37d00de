// One side of a call to which anything happens, as a fuzzer's input says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "call_flow.h"
#include "frames_input.h"

namespace mqttrpc::test {

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

}  // namespace mqttrpc::test
