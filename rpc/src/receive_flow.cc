#include "receive_flow.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "checksum.h"

namespace mqttrpc {

ReceiveFlow::Stored::Stored(const FragmentIn& in)
    : sequence(in.sequence), payload(in.payload), more(in.more), length(in.length), checksum(in.checksum) {}

absl::Status ReceiveFlow::Check(const FragmentIn& fragment) const {
  if (end_.has_value() && fragment.sequence >= end_->sequence) {
    return absl::InternalError(
        absl::StrCat("the peer sent frame ", fragment.sequence, " after its end, ", end_->sequence));
  }
  if (fragment.sequence >= granted_) {
    return absl::InternalError(absl::StrCat("the peer sent frame ", fragment.sequence, " past its limit, ", granted_));
  }
  // The payload alone: its topic and properties only make it larger.
  // The first one came before the peer could know.
  if (fragment.sequence > 0 && fragment.payload.size() > limits_.frame_bytes) {
    return absl::InternalError(
        absl::StrCat("the peer sent a frame of ", fragment.payload.size(), " bytes; we take ", limits_.frame_bytes));
  }
  return absl::OkStatus();
}

absl::Status ReceiveFlow::Arrived(const FragmentIn& fragment) {
  if (fragment.sequence < next_) return absl::OkStatus();  // Here already.
  if (absl::Status status = Check(fragment); !status.ok()) return status;
  peer_sent_ = std::max(peer_sent_, fragment.sequence + 1);
  if (reliable_ && fragment.sequence > next_) {
    const auto [held, is_new] = held_.try_emplace(fragment.sequence, fragment);
    if (is_new) bytes_ += held->second.payload.size();
    if (discard_) Discard();
    return absl::OkStatus();
  }
  if (fragment.sequence > next_) PassGap(fragment.sequence);
  Store(fragment);
  for (auto held = held_.begin(); held != held_.end() && held->first == next_; held = held_.erase(held)) {
    ready_.push_back(std::move(held->second));
    ++next_;
  }
  if (discard_) Discard();
  TakeEnd();
  return absl::OkStatus();
}

void ReceiveFlow::Store(const FragmentIn& fragment) {
  next_ = fragment.sequence + 1;
  if (!reliable_ && Discards(fragment)) {
    ++lost_;
    if (ready_.empty()) taken_ = next_;
    return;
  }
  ready_.emplace_back(fragment);
  bytes_ += fragment.payload.size();
}

// A fragment whose message has lost another one.
bool ReceiveFlow::Discards(const FragmentIn& fragment) const {
  const bool begins = fragment.length.has_value() || (!fragment.more && !fragment.checksum.has_value());
  return begins == Continues();
}

// The next fragment belongs to a message that has begun.
bool ReceiveFlow::Continues() const { return ready_.empty() ? assembling_ : ready_.back().more; }

// Without reliability a gap is final; a message that it cut in two goes with it.
void ReceiveFlow::PassGap(std::uint64_t next) {
  lost_ += next - next_;
  while (!ready_.empty() && ready_.back().more) {
    ++lost_;
    bytes_ -= ready_.back().payload.size();
    ready_.pop_back();
  }
  if (ready_.empty() && std::exchange(assembling_, false)) {
    lost_ += assembled_frames_;
    bytes_ -= assembled_.size();
    assembled_.clear();
  }
  next_ = next;
  if (ready_.empty()) taken_ = next_;
}

absl::Status ReceiveFlow::Ended(const FragmentIn& end, bool with_message) {
  if (end_.has_value()) {
    if (end.sequence == end_->sequence) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("the peer ended at ", end_->sequence, " and at ", end.sequence));
  }
  if (!reliable_ && next_ == passed_to_ && end.sequence + 1 == next_) {
    --lost_;  // What a ping counted last was the end itself.
    --next_;
    taken_ = std::min(taken_, next_);
  }
  if (end.sequence < next_ || end.sequence > granted_ || (!held_.empty() && held_.rbegin()->first >= end.sequence)) {
    return absl::InternalError(
        absl::StrCat("the peer ended at ", end.sequence, "; it sent ", std::max(next_, peer_sent_), " frames"));
  }
  end_.emplace(end);
  end_has_message_ = with_message;
  if (!with_message) end_->payload.clear();
  bytes_ += end_->payload.size();
  peer_sent_ = end.sequence;  // A ping may have counted the end itself.
  if (!reliable_ && next_ < end.sequence) PassGap(end.sequence);
  if (discard_) Discard();
  TakeEnd();
  return absl::OkStatus();
}

// An end by itself is taken as soon as there is nothing before it.
void ReceiveFlow::TakeEnd() {
  if (!end_.has_value() || end_has_message_ || next_ != end_->sequence || !ready_.empty()) return;
  end_taken_ = true;
}

void ReceiveFlow::PeerSent(std::uint64_t frames) {
  if (frames > granted_ + 1) return;  // The end may stand one behind the limit. Else it is nonsense.
  if (end_.has_value()) frames = std::min(frames, end_->sequence);
  peer_sent_ = std::max(peer_sent_, frames);
  if (reliable_ || next_ >= std::min(frames, granted_)) return;
  PassGap(std::min(frames, granted_));
  passed_to_ = next_;
}

void ReceiveFlow::Discard() {
  discard_ = true;
  for (const Stored& stored : ready_) {
    bytes_ -= stored.payload.size();
    taken_bytes_ += stored.payload.size();
  }
  ready_.clear();
  bytes_ -= assembled_.size();
  assembled_.clear();
  assembling_ = false;
  for (auto& [sequence, held] : held_) bytes_ -= std::exchange(held.payload, {}).size();
  if (end_.has_value()) bytes_ -= std::exchange(end_->payload, {}).size();
  taken_ = next_;
  if (end_.has_value() && next_ == end_->sequence) end_taken_ = true;
}

std::optional<std::string_view> ReceiveFlow::PassThrough(const FragmentIn& fragment) {
  if (fragment.sequence != next_ || fragment.more || fragment.length || fragment.checksum) return std::nullopt;
  if (!ready_.empty() || !held_.empty() || assembling_ || end_.has_value()) return std::nullopt;
  if (fragment.payload.size() > limits_.message_bytes || !Check(fragment).ok()) return std::nullopt;
  taken_ = ++next_;
  peer_sent_ = std::max(peer_sent_, next_);
  taken_bytes_ += fragment.payload.size();
  return fragment.payload;
}

absl::StatusOr<std::optional<std::string>> ReceiveFlow::TakeMessage() {
  while (!ready_.empty()) {
    Stored stored = std::move(ready_.front());
    ready_.pop_front();
    taken_ = ready_.empty() ? next_ : ready_.front().sequence;
    bytes_ -= stored.payload.size();
    taken_bytes_ += stored.payload.size();
    absl::StatusOr<bool> whole = Assemble(std::move(stored));
    if (!whole.ok()) return whole.status();
    if (*whole) {
      TakeEnd();
      return std::exchange(assembled_, {});
    }
  }
  TakeEnd();
  if (!end_.has_value() || !end_has_message_ || end_taken_ || next_ != end_->sequence) return std::nullopt;
  end_taken_ = true;
  bytes_ -= end_->payload.size();
  Stored last = std::move(*end_);
  end_->payload.clear();
  last.more = false;
  absl::StatusOr<bool> whole = Assemble(std::move(last));
  if (!whole.ok()) return whole.status();
  return std::exchange(assembled_, {});
}

// Adds one fragment; true: the message is whole, in `assembled_`, and counted no more.
absl::StatusOr<bool> ReceiveFlow::Assemble(Stored stored) {
  if (!assembling_) {
    if (!stored.more) {
      if (stored.payload.size() > limits_.message_bytes) {
        return absl::ResourceExhaustedError(
            absl::StrCat("message of ", stored.payload.size(), " bytes; we take ", limits_.message_bytes));
      }
      assembled_ = std::move(stored.payload);
      return true;
    }
    if (!stored.length.has_value()) return absl::InternalError("the first fragment has no rpc-len");
    if (*stored.length > limits_.message_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("message of ", *stored.length, " bytes; we take ", limits_.message_bytes));
    }
    assembling_ = true;
    assembled_length_ = *stored.length;
    assembled_checksum_ = 0;
    assembled_frames_ = 0;
    assembled_.clear();
  }
  ++assembled_frames_;
  if (stored.payload.empty() && stored.more) return absl::InternalError("a fragment is empty");
  if (assembled_.size() + stored.payload.size() > assembled_length_) {
    return absl::InternalError(absl::StrCat("fragments of over ", assembled_length_, " bytes, their rpc-len"));
  }
  // As far as it came, and some more: the length is only the peer's word.
  const std::uint64_t wanted = std::max<std::uint64_t>(4 * assembled_.size(), 64 * 1024);
  if (assembled_.size() + stored.payload.size() > assembled_.capacity()) {
    assembled_.reserve(static_cast<std::size_t>(std::min(assembled_length_, wanted + stored.payload.size())));
  }
  assembled_checksum_ = Crc32c(stored.payload, assembled_checksum_);
  assembled_.append(stored.payload);
  bytes_ += stored.payload.size();
  if (stored.more) return false;
  assembling_ = false;
  std::string whole = std::exchange(assembled_, {});
  bytes_ -= whole.size();
  if (whole.size() != assembled_length_) {
    return absl::InternalError(
        absl::StrCat("fragments of ", whole.size(), " bytes in all; their rpc-len is ", assembled_length_));
  }
  if (!stored.checksum.has_value()) return absl::InternalError("the last fragment has no rpc-crc");
  if (*stored.checksum != assembled_checksum_) {
    return absl::DataLossError(absl::StrCat("message of ", assembled_length_, " bytes: its CRC-32C does not agree"));
  }
  assembled_ = std::move(whole);
  return true;
}

}  // namespace mqttrpc
