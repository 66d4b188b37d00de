// Both sides of one call, and a clock that a test moves.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "call_flow.h"
#include "support/testing_names.h"

namespace mqttrpc::test {

inline constexpr std::chrono::seconds kIdle{10};

inline FlowOptions Side(bool caller, bool reliable = true) {
  FlowOptions options;
  options.caller = caller;
  options.sends_reliably = options.receives_reliably = reliable;
  options.limits.frames = 16;
  options.idle = kIdle;
  return options;
}

inline Frame Window(std::uint64_t next, std::uint64_t limit, bool again = false) {
  Frame frame(Frame::Kind::kWindow, next);
  frame.limit = limit;
  frame.again = again;
  return frame;
}

inline FragmentIn Fragment(std::uint64_t sequence, std::string_view payload = "x") {
  FragmentIn fragment;
  fragment.sequence = sequence;
  fragment.payload = payload;
  return fragment;
}

class CallFlowTest : public testing::Test {
 protected:
  void SetUp() override {
    caller_.sending().set_room(100);
    responder_.sending().set_room(100);
  }

  // What it owes.
  static std::vector<std::string> Controls(CallFlow& flow) {
    std::vector<std::string> all;
    while (const auto frame = flow.TakeControl()) all.push_back(frame->Text());
    return all;
  }
  void Accept(std::uint64_t limit = 16) {
    caller_.Heard(now_);
    caller_.Accepted(limit);
  }
  // Time passes; what is due happens when it is. Stops at the first error.
  absl::Status Advance(CallFlow& flow, mqtt::Duration step) {
    const mqtt::TimePoint until = now_ + step;
    while (flow.WakeAt() <= until) {
      now_ = std::max(now_, flow.WakeAt());
      if (absl::Status status = flow.TimeIs(now_); !status.ok()) return status;
      const std::vector<std::string> controls = Controls(flow);
      said_.insert(said_.end(), controls.begin(), controls.end());
      if (flow.WakeAt() <= now_) return absl::InternalError("it wakes for nothing");
    }
    now_ = until;
    return absl::OkStatus();
  }

  mqtt::TimePoint now_{std::chrono::hours(1)};
  CallFlow caller_{Side(true), now_};
  CallFlow responder_{Side(false), now_};
  std::vector<std::string> said_;
};

}  // namespace mqttrpc::test
