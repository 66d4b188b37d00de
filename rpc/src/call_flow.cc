#include "call_flow.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/rpc/status.h"
#include "status_wire.h"

namespace mqttrpc {
namespace {

// Frames may overtake each other only across a lost session, and then soon arrive.
constexpr std::chrono::seconds kGapPatience{1};
// A peer that asks for lost frames again and again gets them so often.
constexpr std::chrono::milliseconds kRewindPause{500};
// What a caller may take to hear the end of a call.
constexpr std::chrono::seconds kLinger{30};
// As long as a writer waits for room before it says what it has sent.
constexpr std::chrono::milliseconds kAnnouncePatience{100};  // For frames that may be lost.
constexpr std::chrono::milliseconds kKeptPatience{250};      // For the memory of those that are kept.

}  // namespace

CallFlow::CallFlow(const FlowOptions& options, mqtt::TimePoint now)
    : options_(options),
      sending_(options.sends_reliably),
      receiving_(options.limits, options.receives_reliably),
      accepted_(!options.caller),
      dead_at_(DeadAt(now)) {
  if (options_.caller) {
    receiving_.Assume(kPlainLimit);  // Until an opening frame or a window says more.
  } else {
    receiving_.Grant();
  }
}

void CallFlow::Heard(mqtt::TimePoint now) {
  if (options_.caller && !accepted_) {
    ping_at_ = now + options_.idle;
    gap_at_ = mqtt::kNever;
    owes_again_ = false;
  }
  accepted_ = true;
  dead_at_ = lingers_ ? now + kLinger : DeadAt(now);
}

void CallFlow::Accepted(std::uint64_t limit) {
  if (options_.caller && options_.opens_with_message) sending_.Confirm(1);
  sending_.Grant(limit);
}

absl::Status CallFlow::Message(const FragmentIn& fragment, mqtt::TimePoint now) {
  absl::Status status = receiving_.Arrived(fragment);
  WatchGap(now);
  return status;
}

absl::Status CallFlow::End(const FragmentIn& end, bool with_message, mqtt::TimePoint now) {
  absl::Status status = receiving_.Ended(end, with_message);
  WatchGap(now);
  return status;
}

absl::Status CallFlow::Control(const Frame& frame, mqtt::TimePoint now) {
  switch (frame.kind) {
    case Frame::Kind::kWindow:
      if (absl::Status status = sending_.Acknowledge(frame.number, frame.limit); !status.ok()) return status;
      if (frame.again) {
        // It has lost what was on its way to it: our windows too.
        if (now >= rewind_allowed_at_) {
          sending_.Rewind();
          rewind_allowed_at_ = now + kRewindPause;
        } else {
          rewind_at_ = rewind_allowed_at_;
        }
        owes_window_ = true;
        if (!options_.caller) owes_accept_ = true;
      }
      return absl::OkStatus();
    case Frame::Kind::kPing:
      owes_pong_ = true;
      owes_window_ = true;  // The last one may be lost, and its peer wait for it.
      break;
    case Frame::Kind::kPong: break;
    default:
      return absl::InternalError(absl::StrCat("the peer sent the frame ", frame.Text(), " where it means nothing"));
  }
  receiving_.PeerSent(frame.number);
  // Whoever says how much it sent may wait to hear that it is here.
  if (receiving_.WorthTelling() || told_next_ < receiving_.next()) owes_window_ = true;
  WatchGap(now);
  return absl::OkStatus();
}

void CallFlow::WatchGap(mqtt::TimePoint now) {
  if (lingers_ || !receiving_.misses()) {
    gap_at_ = mqtt::kNever;
  } else if (gap_at_ == mqtt::kNever) {
    gap_at_ = now + kGapPatience;
  }
}

void CallFlow::Opened(mqtt::TimePoint now, mqtt::Duration patience) {
  accept_patience_ = patience;
  connected_ = true;  // It may have been made before there was a connection.
  if (!accepted_) WaitForWord(now);
}

// It, or what it answers, may be lost: it is asked once more.
void CallFlow::WaitForWord(mqtt::TimePoint now) {
  dead_at_ = now + accept_patience_;
  gap_at_ = now + accept_patience_ / 2;
}

void CallFlow::Connected(bool session_present, mqtt::TimePoint now) {
  connected_ = true;
  if (!accepted_ && options_.caller && accept_patience_ != mqtt::Duration::max()) WaitForWord(now);
  if (!session_present) AskAgain();  // What was on its way to us is lost.
}

// A connection that is away is no sign that the other side is: it gets its time again.
void CallFlow::Disconnected(mqtt::TimePoint now) {
  if (!std::exchange(connected_, false)) return;  // Another attempt has failed.
  dead_at_ = DeadAt(now);
}

mqtt::TimePoint CallFlow::DeadAt(mqtt::TimePoint now) const {
  mqtt::TimePoint dead_at = options_.idle.count() > 0 ? now + dead_after() : mqtt::kNever;
  if (silence_limit_.has_value()) dead_at = std::min(dead_at, now + *silence_limit_);
  return dead_at;
}

void CallFlow::LimitSilence(std::optional<mqtt::Duration> limit, mqtt::TimePoint now) {
  silence_limit_ = limit;
  dead_at_ = DeadAt(now);
}

// Until then the caller has no reason to say anything.
void CallFlow::OweAcceptAt(mqtt::TimePoint when) {
  accept_at_ = when;
  dead_at_ = DeadAt(when);
}

void CallFlow::Linger(mqtt::TimePoint now) {
  lingers_ = true;
  dead_at_ = now + kLinger;
  accept_at_ = gap_at_ = mqtt::kNever;
}

void CallFlow::Taken() {
  if (receiving_.WorthTelling() && !receiving_.has_end()) owes_window_ = true;
}

void CallFlow::Written(mqtt::TimePoint now) {
  const bool waits = options_.sends_reliably ? sending_.waits_for_acknowledgement() : sending_.blocked();
  if (!waits) {
    announce_at_ = mqtt::kNever;
  } else if (announce_at_ == mqtt::kNever) {
    announce_at_ = now + (options_.sends_reliably ? kKeptPatience : kAnnouncePatience);
  }
}

void CallFlow::SendAgainLater(mqtt::TimePoint now) {
  if (options_.sends_reliably && rewind_at_ == mqtt::kNever) {
    rewind_at_ = std::max(rewind_allowed_at_, now + kGapPatience);
  }
}

void CallFlow::Announce() { (options_.caller ? owes_ping_ : owes_pong_) = true; }

absl::Status CallFlow::TimeIs(mqtt::TimePoint now) {
  if (dead_at_ <= now) {
    const bool unheard = connected_ && !accepted_ && accept_patience_ != mqtt::Duration::max();
    const mqtt::Duration patience = unheard ? accept_patience_ : DeadAt(now) - now;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
    return absl::UnavailableError(connected_ ? absl::StrCat("nothing was heard from the other side for ", ms, " ms")
                                             : absl::StrCat("not connected for ", ms, " ms"));
  }
  if (accept_at_ <= now) {
    owes_accept_ = true;
    accept_at_ = mqtt::kNever;
  }
  if (rewind_at_ <= now) {
    sending_.Rewind();
    rewind_allowed_at_ = now + kRewindPause;
    rewind_at_ = mqtt::kNever;
  }
  if (gap_at_ <= now && accepted_ && !receiving_.misses()) gap_at_ = mqtt::kNever;  // It came meanwhile.
  if (gap_at_ <= now) {
    AskAgain();
    gap_at_ = accepted_ ? now + kGapPatience : mqtt::kNever;
  }
  if (announce_at_ <= now) {
    Announce();
    announce_at_ = mqtt::kNever;
    Written(now);
  }
  if (ping_at_ <= now) {
    owes_ping_ = true;
    owes_window_ = true;
    ping_at_ = now + options_.idle;
  }
  return absl::OkStatus();
}

mqtt::TimePoint CallFlow::WakeAt() const {
  return std::min({dead_at_, ping_at_, accept_at_, gap_at_, rewind_at_, announce_at_});
}

void CallFlow::ScheduleIn(mqtt::DeadlineQueue& queue) {
  const mqtt::TimePoint wake_at = WakeAt();
  if (wake_at != mqtt::kNever && (!scheduled() || wake_at < deadline())) queue.Schedule(*this, wake_at);
}

std::optional<Frame> CallFlow::TakeControl() {
  if (!connected_) return std::nullopt;
  if (std::exchange(owes_accept_, false)) return Frame(Frame::Kind::kAccept, receiving_.Grant());
  if (std::exchange(owes_window_, false)) {
    told_next_ = receiving_.next();
    Frame window(Frame::Kind::kWindow, told_next_);
    window.limit = std::max(receiving_.Grant(), window.number);
    window.again = std::exchange(owes_again_, false);
    return window;
  }
  if (std::exchange(owes_pong_, false)) return Frame(Frame::Kind::kPong, sending_.frames_sent());
  if (std::exchange(owes_ping_, false)) return Frame(Frame::Kind::kPing, sending_.frames_sent());
  return std::nullopt;
}

}  // namespace mqttrpc
