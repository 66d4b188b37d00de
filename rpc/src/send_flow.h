// The messages that one side of a call sends: cut into frames as the other side grants
// room, kept until it has them. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include <absl/status/status.h>

#include "fragment.h"

namespace mqttrpc {

class SendFlow {
 public:
  // `reliable`: frames are kept until they are acknowledged, and sent again when asked for.
  explicit SendFlow(bool reliable) : reliable_(reliable) {}

  // The payload that goes into one frame, in bytes, at least 1. For frames not cut yet.
  void set_room(std::size_t bytes) { room_ = bytes; }

  // Queues a message; frames are cut as far as the limit allows.
  void Write(std::string message);
  // Nothing follows. With a message: its last fragment is the end.
  void End();
  void EndWith(std::string message);

  // The other side takes frames below `limit`; an older, lower limit changes nothing.
  void Grant(std::uint64_t limit);
  // It has all frames below `next`. kInternal: it contradicts itself.
  absl::Status Acknowledge(std::uint64_t next, std::uint64_t limit);
  // It has all frames below `next`, as follows from something else that it said.
  void Confirm(std::uint64_t next) { DropUntil(next < next_ ? next : next_); }
  // It has not got what was sent: all that it has not acknowledged is sent again.
  void Rewind() { sent_ = acknowledged_; }

  bool HasFragment() const { return sent_ < next_; }
  const FragmentOut& Peek() const { return kept_[static_cast<std::size_t>(sent_ - acknowledged_)]; }
  FragmentOut Take();

  // How many messages have been cut to the last byte: their writers may go on.
  std::uint64_t messages_cut() const { return messages_cut_; }
  // How many frames have been given out, an end included.
  std::uint64_t frames_sent() const { return most_sent_; }
  bool blocked() const { return !queue_.empty(); }  // Wants a higher limit.
  bool ended() const { return ended_; }             // The end has been cut.
  bool acknowledged() const { return acknowledged_ == next_ && queue_.empty(); }
  std::size_t bytes() const { return bytes_; }            // Of messages kept here.
  std::size_t kept_bytes() const { return kept_bytes_; }  // Of those, in frames that are not acknowledged.
  // No frame is cut while so many are; one always may be.
  void set_most_kept_bytes(std::size_t bytes);
  // Twice what a reader takes before it says so.
  static constexpr std::size_t kMostKeptBytes = 1024 * 1024;
  // Messages wait although the other side has room for them: what is kept has to go first.
  bool waits_for_acknowledgement() const { return blocked() && next_ < limit_; }

 private:
  struct Queued {
    std::shared_ptr<const std::string> message;
    std::size_t offset = 0;
    std::uint32_t checksum = 0;
    bool end = false;
  };

  bool HasRoom() const {
    return next_ < limit_ && next_ - acknowledged_ < kMostKept && (kept_.empty() || kept_bytes_ < most_kept_bytes_);
  }
  void Queue(std::string message, bool end);
  void Cut();
  void CutOne();
  void DropUntil(std::uint64_t next);

  // Whatever the other side says that it takes: what is not acknowledged is kept here.
  static constexpr std::uint64_t kMostKept = 65'535;

  const bool reliable_;
  std::size_t most_kept_bytes_ = kMostKeptBytes;
  std::size_t kept_bytes_ = 0;
  std::size_t room_ = 1;
  std::deque<Queued> queue_;      // Not cut to the end yet.
  std::deque<FragmentOut> kept_;  // From `acknowledged_` on.
  std::uint64_t acknowledged_ = 0;
  std::uint64_t sent_ = 0;  // What Take() gives next.
  std::uint64_t most_sent_ = 0;
  std::uint64_t next_ = 0;  // The next frame's number.
  std::uint64_t limit_ = 0;
  std::uint64_t last_next_ = 0;  // Of the newest window we were told.
  std::uint64_t last_limit_ = 0;
  std::uint64_t messages_cut_ = 0;
  std::size_t bytes_ = 0;
  bool ending_ = false;
  bool ended_ = false;
};

}  // namespace mqttrpc
