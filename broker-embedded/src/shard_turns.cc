// Whose turn it is: those for whom little was done lately first, and those who keep other
// shards busy when these have room again.
#include <chrono>
#include <utility>

#include "shard.h"

namespace mqttrpc::broker {
namespace {

// However busy other shards are, this often one of those who are held for it goes on.
constexpr std::chrono::milliseconds kLongestHold{100};

}  // namespace

// Those for whom little was done lately are equal, whatever they have sent now.
std::uint64_t Shard::RankOf(const ServerConnection& connection) const {
  const std::uint64_t served = connection.served(Now());
  return served < BrokerCore::kWorkPerTurn ? 0 : served;
}

// Back-pressure from another shard: for those who make its work.
bool Shard::MustWait(const Link& link) const {
  if (core_.neighbours == nullptr) return false;
  if (!core_.neighbours->crowded() && held_.empty()) return false;  // Nobody overtakes those who are held.
  return link.connection().served_elsewhere(Now()) >= (core_.neighbours->overfull() ? 1 : BrokerCore::kWorkPerTurn);
}

bool Shard::HasTurn(const Link& link) const {
  if (core_.work >= BrokerCore::kWorkPerTurn || MustWait(link)) return false;
  return waiting_.empty() || RankOf(link.connection()) <= waiting_.begin()->first.rank;
}

// Comes again behind what is ready to run: the others' reads and writes.
void Shard::OnUnfinished(Link& link) {
  if (stopped() || link.held) return;
  if (link.connection().unfinished() && !link.was_held && MustWait(link)) return Hold(link);
  Await(link);
}

void Shard::Await(Link& link) {
  const bool waits = link.place.ticket != 0;
  Place place{RankOf(link.connection()), waits ? link.place.ticket : ++last_place_};
  if (!link.connection().unfinished()) place.rank += 4 * BrokerCore::kWorkPerTurn;  // Retained messages are not urgent.
  if (waits && link.place <= place) return;
  LeaveQueue(link);
  link.place = place;
  waiting_[place] = &link;
  by_age_[place.ticket] = &link;
  PostContinue();
}

void Shard::Hold(Link& link) {
  LeaveQueue(link);
  link.held = true;
  held_.push_back(&link);
  ScheduleFlush();  // It looks whether there is room again.
  if (held_.size() > 1) return;
  if (hold_timer_ == nullptr) hold_timer_ = core_.options.environment.clock->NewTimer(executor_);
  hold_timer_->Arm(Now() + kLongestHold, [this] { ReleaseLongestHeld(); });
}

void Shard::ReleaseHeld() {
  hold_timer_->Disarm();
  for (Link* link : std::exchange(held_, {})) {
    link->held = false;
    OnUnfinished(*link);
  }
}

// Whatever keeps the other shard busy: everyone gets on.
void Shard::ReleaseLongestHeld() {
  if (held_.empty()) return;
  Link& link = *held_.front();
  held_.erase(held_.begin());
  link.held = false;
  link.was_held = true;
  Await(link);
  if (!held_.empty()) hold_timer_->Arm(Now() + kLongestHold, [this] { ReleaseLongestHeld(); });
}

void Shard::PostContinue() {
  if (!std::exchange(continue_posted_, true)) Post(kContinueTurn);
}

// Mail and clients have a turn's work each. One that has waited longest goes on too, so that
// nobody waits for ever while those for whom little was done keep the broker busy.
void Shard::ContinueTurn() {
  continue_posted_ = false;
  if (stopped()) return;
  if (core_.neighbours != nullptr) {
    core_.work = 0;
    ReceiveMail();
    ScheduleFlush();
  }
  core_.work = 0;
  while (!waiting_.empty() && core_.work < BrokerCore::kWorkPerTurn) ContinueOrHold(*waiting_.begin()->second);
  core_.work = 0;
  if (!by_age_.empty()) ContinueOrHold(*by_age_.begin()->second);
  CountMemory();
  ArmTimer();
  if (!waiting_.empty()) PostContinue();
}

void Shard::ContinueOrHold(Link& link) {
  if (link.connection().unfinished() && !link.was_held && MustWait(link)) return Hold(link);
  LeaveQueue(link);
  link.was_held = false;
  link.Continue(Now());
  Schedule(link);
}

void Shard::LeaveQueue(Link& link) {
  if (link.place.ticket == 0) return;
  waiting_.erase(link.place);
  by_age_.erase(link.place.ticket);
  link.place = Place();
}

}  // namespace mqttrpc::broker
