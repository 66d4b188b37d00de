// A call that is more than one message each way, as either side sees it: its messages both
// ways, the frames that steer them, and whether the other side is still there. No I/O:
// frames and time go in; frames, messages and a time to be woken at come out.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include <absl/status/status.h>

#include "frame.h"
#include "linked_list.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/rpc/stream.h"
#include "receive_flow.h"
#include "send_flow.h"

namespace mqttrpc {

// A responder sends so many frames to a caller that named no limit: one whose unary request
// was a plain message.
inline constexpr std::uint64_t kPlainLimit = 16;

struct FlowOptions {
  FlowOptions() = default;

  bool caller = false;  // We are; else the responder.
  // Whether what is sent, and what is got, comes in any case; else it may be lost.
  bool sends_reliably = true;
  bool receives_reliably = true;
  bool opens_with_message = false;  // The opening frame holds the first message, or its first fragment.
  StreamLimits limits;
  // How often the caller pings; a side that hears nothing for three times as long is gone.
  // 0: never, and it is not.
  mqtt::Duration idle{};
};

class CallFlow : public mqtt::DeadlineQueue::Entry, public ListNode {
 public:
  CallFlow(const FlowOptions& options, mqtt::TimePoint now);

  SendFlow& sending() { return sending_; }
  ReceiveFlow& receiving() { return receiving_; }

  // --- What the other side says. Not OK: the call ends with it.

  // Any frame of it came.
  void Heard(mqtt::TimePoint now);
  void Accepted(std::uint64_t limit);  // The responder has the opening frame.
  absl::Status Message(const FragmentIn& fragment, mqtt::TimePoint now);
  absl::Status End(const FragmentIn& end, bool with_message, mqtt::TimePoint now);
  absl::Status Control(const Frame& frame, mqtt::TimePoint now);  // Windows, pings, pongs.

  // --- What happens here.

  // The opening frame went out. Nothing heard for `patience`: nobody is there.
  void Opened(mqtt::TimePoint now, mqtt::Duration patience);
  void Connected(bool session_present, mqtt::TimePoint now);
  void Disconnected(mqtt::TimePoint now);
  // The responder's: to say that it has the call; at once, or if it is still at work then.
  void OweAccept() { owes_accept_ = true; }
  void OweAcceptAt(mqtt::TimePoint when);
  // The responder has ended, and waits for the caller to have heard all of it: not for long.
  void Linger(mqtt::TimePoint now);
  // What was said before is lost, in part at least: it is to be sent again.
  void AskAgain() { owes_again_ = owes_window_ = true; }
  // Messages were taken: the other side may send more.
  void Taken();
  // Messages were written. One without room may wait for frames that nobody knows of, if they
  // may be lost; or for the memory of those that the other side has, but sees no need to tell.
  void Written(mqtt::TimePoint now);
  // A frame could not be sent just now: all that is not acknowledged is sent again a while later.
  void SendAgainLater(mqtt::TimePoint now);
  // Whatever is due. Not OK: the other side is gone, kUnavailable.
  absl::Status TimeIs(mqtt::TimePoint now);
  mqtt::TimePoint WakeAt() const;
  // Has itself woken in time. Being woken too early costs nothing but a look; moving the
  // entry at each frame would.
  void ScheduleIn(mqtt::DeadlineQueue& queue);

  // While this is set, a side that hears nothing for so long is gone, however seldom the caller pings.
  void LimitSilence(std::optional<mqtt::Duration> limit, mqtt::TimePoint now);

  bool accepted() const { return accepted_; }
  bool lingers() const { return lingers_; }

  // The next frame that steers, while there is a connection: to be sent at once, ahead of messages.
  std::optional<Frame> TakeControl();

 private:
  mqtt::Duration dead_after() const { return 3 * options_.idle; }
  mqtt::TimePoint DeadAt(mqtt::TimePoint now) const;
  void WaitForWord(mqtt::TimePoint now);
  void WatchGap(mqtt::TimePoint now);
  void Announce();

  const FlowOptions options_;
  SendFlow sending_;
  ReceiveFlow receiving_;
  bool connected_ = true;
  bool accepted_ = false;
  bool lingers_ = false;
  mqtt::Duration accept_patience_ = mqtt::Duration::max();

  std::optional<mqtt::Duration> silence_limit_;
  mqtt::TimePoint dead_at_;
  mqtt::TimePoint ping_at_ = mqtt::kNever;
  mqtt::TimePoint accept_at_ = mqtt::kNever;
  mqtt::TimePoint gap_at_ = mqtt::kNever;  // Ask again then for what is missing.
  mqtt::TimePoint rewind_allowed_at_{};    // Sending again is dear: not at each demand.
  mqtt::TimePoint rewind_at_ = mqtt::kNever;
  mqtt::TimePoint announce_at_ = mqtt::kNever;  // Say then how much was sent.
  std::uint64_t told_next_ = 0;                 // The last window said that all below it are here.

  // Frames owed.
  bool owes_accept_ = false;
  bool owes_window_ = false;
  bool owes_again_ = false;
  bool owes_ping_ = false;
  bool owes_pong_ = false;
};

}  // namespace mqttrpc
