// The messages that one side of a call gets: put in order and together again, as many
// as there is room for. No I/O.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "fragment.h"
#include "mqttrpc/rpc/stream.h"

namespace mqttrpc {

class ReceiveFlow {
 public:
  // `reliable`: gaps wait for what is missing; else they are counted and passed over.
  ReceiveFlow(const StreamLimits& limits, bool reliable) : limits_(limits), reliable_(reliable) {}

  // A fragment came. kInternal: the other side breaks the protocol.
  absl::Status Arrived(const FragmentIn& fragment);

  // The end came; with the last fragment of a message, or by itself.
  absl::Status Ended(const FragmentIn& end, bool with_message);

  // The other side says how many frames it has sent.
  void PeerSent(std::uint64_t frames);

  // Nothing more is read: what is here and what comes is thrown away.
  void Discard();

  // The next message, if it is whole. kInternal, kDataLoss, kResourceExhausted: it cannot be had.
  absl::StatusOr<std::optional<std::string>> TakeMessage();

  // The payload of a fragment that is the next message all by itself, so that nothing
  // has to be copied; instead of Arrived().
  std::optional<std::string_view> PassThrough(const FragmentIn& fragment);

  // The end came, and all before it was taken.
  bool over() const { return end_.has_value() && end_taken_; }
  bool has_end() const { return end_.has_value(); }
  // The end came, and all before it, taken or not.
  bool complete() const { return end_.has_value() && next_ == end_->sequence; }

  // All below it have come, the end too.
  std::uint64_t next() const { return complete() ? next_ + 1 : next_; }
  // Frames below it are welcome. Moves the limit up as far as there is room.
  std::uint64_t Grant() {
    taken_bytes_ = 0;
    return granted_ = std::max(granted_, taken_ + limits_.frames);
  }
  // What the other side takes for granted without our word.
  void Assume(std::uint64_t limit) { granted_ = limit; }
  std::uint64_t granted() const { return granted_; }
  // Enough room has come free to be worth telling.
  bool WorthTelling() const {
    return taken_ + limits_.frames >= granted_ + (limits_.frames + 1) / 2 || taken_bytes_ >= kWorthTellingBytes;
  }

  // Something that was sent is not here. For a reliable flow.
  bool misses() const { return reliable_ && next_ < peer_sent_; }

  std::uint64_t lost() const { return lost_; }  // Frames, of a flow that is not reliable.
  std::size_t bytes() const { return bytes_; }  // That wait here.

 private:
  struct Stored {
    Stored() = default;
    explicit Stored(const FragmentIn& in);
    std::uint64_t sequence = 0;
    std::string payload;
    bool more = false;
    std::optional<std::uint64_t> length;
    std::optional<std::uint32_t> checksum;
  };

  absl::Status Check(const FragmentIn& fragment) const;
  void Store(const FragmentIn& fragment);
  void PassGap(std::uint64_t next);
  bool Continues() const;
  bool Discards(const FragmentIn& fragment) const;
  absl::StatusOr<bool> Assemble(Stored stored);
  void TakeEnd();

  // The other side keeps what it does not know to be here.
  static constexpr std::size_t kWorthTellingBytes = 512 * 1024;

  const StreamLimits limits_;
  const bool reliable_;
  std::deque<Stored> ready_;              // In order, not taken.
  std::map<std::uint64_t, Stored> held_;  // Behind a gap.
  std::uint64_t next_ = 0;
  std::uint64_t taken_ = 0;  // All below it were taken, or lost.
  std::uint64_t granted_ = 0;
  std::uint64_t peer_sent_ = 0;
  std::optional<Stored> end_;
  bool end_has_message_ = false;
  bool end_taken_ = false;
  bool discard_ = false;
  std::uint64_t lost_ = 0;
  std::uint64_t passed_to_ = 0;  // Passed over since a ping said so, all below it.
  std::size_t bytes_ = 0;
  std::size_t taken_bytes_ = 0;  // Since the limit was told.

  // The message that is being put together.
  bool assembling_ = false;
  std::string assembled_;
  std::uint64_t assembled_length_ = 0;
  std::uint32_t assembled_checksum_ = 0;
  std::uint64_t assembled_frames_ = 0;
};

}  // namespace mqttrpc
