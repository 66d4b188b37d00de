// Which of many calls may send its next message now. No I/O.
#pragma once

#include <algorithm>
#include <cstddef>

#include "call_flow.h"
#include "linked_list.h"

namespace mqttrpc {

class FramePacerShell {
 public:
  // Sends the next fragment of `flow`. Answer: Sent(), with the bytes of its payload.
  virtual void SendFragment(CallFlow& flow) = 0;

 protected:
  ~FramePacerShell() = default;
};

// Takes turns, a frame each. No more are under way than leave room on the connection for
// frames that steer, and for other calls: half of what the broker takes unacknowledged.
class FramePacer {
 public:
  explicit FramePacer(FramePacerShell& shell) : shell_(shell) {}

  void Connected(std::size_t receive_maximum) {
    connected_ = true;
    maximum_ = std::clamp<std::size_t>(receive_maximum / 2, 1, kMaximumFrames);
    Pump();
  }
  void Disconnected() { connected_ = false; }

  // Sends what `flow` has, now or when its turn comes.
  void Wake(CallFlow& flow) {
    if (!flow.accepted() || !flow.sending().HasFragment() || flow.linked()) return;
    waiting_.PushBack(flow);
    Pump();
  }
  static void Forget(CallFlow& flow) { LinkedList<CallFlow>::Remove(flow); }

  // The broker has acknowledged a frame of so many bytes, or it will never leave.
  void Sent(std::size_t bytes) {
    --under_way_;
    bytes_ -= bytes;
    Pump();
  }

 private:
  static constexpr std::size_t kMaximumFrames = 512;
  static constexpr std::size_t kMaximumBytes = 1024 * 1024;

  void Pump() {
    if (pumping_) return;
    pumping_ = true;
    while (connected_ && under_way_ < maximum_ && bytes_ < kMaximumBytes && !waiting_.empty()) {
      CallFlow& flow = *waiting_.front();
      LinkedList<CallFlow>::Remove(flow);
      if (!flow.sending().HasFragment()) continue;
      ++under_way_;
      // Counted before it is sent: a frame may be acknowledged, or lost, at once.
      bytes_ += flow.sending().Peek().size;
      // In line again before: sending may end the flow, which takes it out.
      waiting_.PushBack(flow);
      shell_.SendFragment(flow);
    }
    pumping_ = false;
  }

  FramePacerShell& shell_;
  LinkedList<CallFlow> waiting_;
  bool connected_ = false;
  bool pumping_ = false;
  std::size_t maximum_ = 1;
  std::size_t under_way_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace mqttrpc
