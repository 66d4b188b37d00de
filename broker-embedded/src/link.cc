#include "link.h"

#include "movable_transport.h"

namespace mqttrpc::broker {

void Link::OnBytes(std::span<const std::byte> bytes) {
  host_.BeforeInput();
  connection_.OnBytes(bytes, host_.Now(), host_.HasTurn(*this));
  AfterFrames();
}

// Until what was read is through, no more is read.
void Link::Continue(mqtt::TimePoint now) {
  connection_.Continue(now);
  if (!connection_.unfinished() && !connection_.finished() && !paused) transport_->ResumeReading();
  AfterFrames();
}

void Link::AfterFrames() {
  if (connection_.TakePublished()) host_.OnPublished(*this);
  if (!connection_.unfinished()) {
    if (connection_.moves_to()) transport_->PauseReading();
    return;
  }
  transport_->PauseReading();
  if (!connection_.choked()) host_.OnUnfinished(*this);
}

void Link::OnWritten() {
  Written();
  Wake();
}

void Link::Written() {
  connection_.OnWritten();
  if (connection_.unfinished() && !connection_.choked()) host_.OnUnfinished(*this);
}

void Link::OnClosed(absl::Status why) {
  host_.BeforeInput();
  connection_.OnStreamEnd(why, host_.Now());
  if (connection_.unfinished()) host_.OnUnfinished(*this);
}

void Link::Wake() {
  if (awake_) return;
  awake_ = true;
  host_.OnAwake(*this);
}

bool Link::CanMove() const { return dynamic_cast<const mqtt::MovableTransport*>(transport_.get()) != nullptr; }

bool Link::Flush(mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather) {
  awake_ = false;
  if (connection_.abandoned()) return false;
  if (connection_.moves_to()) {
    host_.OnMoves(*this);
    return false;
  }
  connection_.Collect(now, gather);
  if (!gather.empty()) patient_since = mqtt::kNever;
  if (!gather.empty() && transport_->Write(gather)) {
    Written();
    if (connection_.has_more_to_say()) Wake();
  }
  if (connection_.scan_waits()) host_.OnUnfinished(*this);
  if (!connection_.finished()) return true;
  if (connection_.idle()) {
    transport_->Close();
    return false;
  }
  transport_->PauseReading();  // What it says no longer matters.
  return true;
}

void Link::Pause() {
  paused = true;
  transport_->PauseReading();
  connection_.OnReadingPaused();
}

void Link::Resume(mqtt::TimePoint now) {
  paused = false;
  if (connection_.finished()) return;
  connection_.OnReadingResumed(now);
  if (!connection_.unfinished()) transport_->ResumeReading();
}

}  // namespace mqttrpc::broker
