#include "send_flow.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "checksum.h"
#include "frame.h"

namespace mqttrpc {

void SendFlow::Write(std::string message) { Queue(std::move(message), false); }

void SendFlow::EndWith(std::string message) {
  ending_ = true;
  Queue(std::move(message), true);
}

void SendFlow::Queue(std::string message, bool end) {
  Queued queued;
  queued.message = std::make_shared<const std::string>(std::move(message));
  queued.end = end;
  bytes_ += queued.message->size();
  queue_.push_back(std::move(queued));
  Cut();
}

void SendFlow::End() {
  if (std::exchange(ending_, true)) return;
  Cut();
}

void SendFlow::Grant(std::uint64_t limit) {
  limit_ = std::max(limit_, limit);
  Cut();
}

// Windows are absolute, so an older one that comes late is harmless. One that takes back
// what was granted, while it acknowledges more, is none that an honest peer ever sent.
absl::Status SendFlow::Acknowledge(std::uint64_t next, std::uint64_t limit) {
  if (next > most_sent_) {
    return absl::InternalError(absl::StrCat("the peer acknowledges frame ", next, "; ", most_sent_, " were sent"));
  }
  if (limit < next) {
    return absl::InternalError(absl::StrCat("the peer's limit ", limit, " is below its next frame ", next));
  }
  const bool shrinks = (next > last_next_ && limit < last_limit_) || (next < last_next_ && limit > last_limit_);
  if (shrinks) {
    return absl::InternalError(absl::StrCat("the peer's window shrinks: limit ", std::min(limit, last_limit_),
                                            " after ", std::max(limit, last_limit_)));
  }
  last_next_ = std::max(last_next_, next);
  last_limit_ = std::max(last_limit_, limit);
  DropUntil(next);
  Grant(limit);
  return absl::OkStatus();
}

void SendFlow::DropUntil(std::uint64_t next) {
  while (acknowledged_ < next) {
    const FragmentOut& fragment = kept_.front();
    bytes_ -= fragment.size;
    kept_bytes_ -= fragment.size;
    kept_.pop_front();
    ++acknowledged_;
  }
  sent_ = std::max(sent_, acknowledged_);
  most_sent_ = std::max(most_sent_, sent_);
}

void SendFlow::set_most_kept_bytes(std::size_t bytes) {
  if (std::exchange(most_kept_bytes_, bytes) < bytes) Cut();
}

void SendFlow::Cut() {
  while (!queue_.empty()) {
    const Queued& first = queue_.front();
    const bool is_last = first.message->size() - first.offset <= room_;
    // The end is one frame more than the limit allows: whoever waits for it has room for it.
    if (!HasRoom() && !(first.end && is_last)) return;
    CutOne();
  }
  if (!ending_ || ended_) return;
  FragmentOut end;
  end.sequence = next_++;
  end.end = true;
  kept_.push_back(std::move(end));
  ended_ = true;
}

void SendFlow::CutOne() {
  Queued& first = queue_.front();
  const std::size_t left = first.message->size() - first.offset;
  FragmentOut fragment;
  fragment.sequence = next_++;
  fragment.message = first.message;
  fragment.offset = first.offset;
  fragment.size = std::min(left, room_);
  fragment.more = fragment.size < left;
  if (fragment.more && first.offset == 0) fragment.length = first.message->size();
  if (fragment.more || first.offset > 0) {
    first.checksum = Crc32c(fragment.payload(), first.checksum);
    if (!fragment.more) fragment.checksum = first.checksum;
  }
  first.offset += fragment.size;
  kept_bytes_ += fragment.size;
  if (!fragment.more) {
    fragment.end = first.end;
    if (fragment.end) ended_ = true;
    queue_.pop_front();
    ++messages_cut_;
  }
  kept_.push_back(std::move(fragment));
}

FragmentOut SendFlow::Take() {
  FragmentOut fragment = Peek();
  ++sent_;
  most_sent_ = std::max(most_sent_, sent_);
  if (!reliable_ && !fragment.end) {
    DropUntil(sent_);
    Cut();
  }
  return fragment;
}

}  // namespace mqttrpc
