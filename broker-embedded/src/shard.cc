#include "shard.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>

#include "executor_target.h"

namespace mqttrpc::broker {
namespace {

using mqtt::LogLevel;
using mqtt::ReasonCode;

// A publisher that is paused because the queues are full is listened to again
// after this long in any case: the acknowledgements that would empty them may be
// among what it says.
constexpr std::chrono::milliseconds kLongestPause{100};

// How long an acknowledgement waits for something to go with. Not shorter: under load the
// timer costs as much as the writes it is to save.
constexpr std::chrono::milliseconds kPatience{10};

// How many turns Stop() waits for writes under way. Those of clients that read
// end within a few; the others would never.
constexpr int kStopTurns = 64;

// Streams whose CONNECT was not accepted yet, beyond the connections allowed:
// room to refuse politely.
std::size_t MaximumLinks(const BrokerOptions& options) {
  return options.maximum_connections + options.maximum_connections / 8 + 64;
}

BrokerOptions Sane(BrokerOptions options) {
  options.shards = std::clamp<std::size_t>(options.shards, 1, kMaximumShards);
  options.receive_maximum = std::max<std::uint16_t>(options.receive_maximum, 1);  // 0 is a protocol error (3.2.2.3.3).
  options.maximum_in_flight = std::max<std::uint16_t>(options.maximum_in_flight, 1);
  options.sys_interval = std::max(options.sys_interval, std::chrono::seconds(0));
  options.maximum_qos = std::min(options.maximum_qos, mqtt::QoS::kExactlyOnce);
  options.maximum_packet_size = std::clamp<std::uint32_t>(options.maximum_packet_size, 1, 268'435'460);
  options.maximum_connect_packet_size = std::min(options.maximum_connect_packet_size, options.maximum_packet_size);
  return options;
}

}  // namespace

Shard::Shard(asio::any_io_executor executor, const BrokerOptions& options)
    : executor_(std::move(executor)),
      chained_executor_(executor_),
      poller_(mqtt::SocketPoller::New(executor_)),
      core_(Sane(options)) {}

Shard::~Shard() {
  if (core_.neighbours != nullptr) core_.neighbours->Close();
}

// The first thing on the executor for whatever came from another thread.
bool Shard::Enter() {
  const std::lock_guard lock(home_mutex_);
  if (stopped_) return false;
  home_ = std::this_thread::get_id();
  return true;
}

bool Shard::CanStopHere() {
  using Plain = asio::io_context::executor_type;
  const auto* io = mqtt::TargetOf<Plain>(executor_);
  const auto* strand = mqtt::TargetOf<asio::strand<Plain>>(executor_);
  const std::lock_guard lock(home_mutex_);
  bool ours = false;
  if (io != nullptr) {
    ours = io->context().stopped() || !home_ || *home_ == std::this_thread::get_id();
  } else if (strand != nullptr) {  // Many threads may run it, one after another.
    ours = strand->get_inner_executor().context().stopped();
  }
  if (ours) stopped_ = true;  // What was posted and did not run yet finds nothing to do.
  return ours;
}

bool Shard::Attach(std::unique_ptr<mqtt::Transport> transport) {
  if (stopped()) return false;
  asio::post(executor_, [self = shared_from_this(), stream = std::move(transport)]() mutable {
    if (self->Enter()) self->AddLink(std::move(stream));
  });
  return true;
}

bool Shard::Add(std::shared_ptr<Listener> listener) {
  if (stopped()) return false;
  asio::post(executor_, [self = shared_from_this(), added = std::move(listener)] {
    if (!self->Enter()) return;
    self->listeners_.push_back(added);
    self->FlushAfterRounds();
    // The listener is ours: it never calls back after Close().
    added->Start(self->poller_, [shard = self.get()](std::unique_ptr<mqtt::Transport> transport) {
      shard->AddLink(std::move(transport));
    });
  });
  return true;
}

void Shard::FlushAfterRounds() {
  if (poller_ == nullptr || flushes_after_rounds_) return;
  // Weak: sockets that linger keep the poller, and outlive us.
  flushes_after_rounds_ = poller_->set_on_round([weak = weak_from_this()] {
    if (const auto shard = weak.lock()) shard->Flush();
  });
}

// Null if there is no room.
Link* Shard::AddLink(std::unique_ptr<mqtt::Transport> transport) {
  if (stopped()) return nullptr;
  if (core_.OfAll(&Counters::streams) >= MaximumLinks(core_.options) && !MakeRoom()) {
    core_.counters.connections_refused.Add();
    core_.Log(LogLevel::kWarning, "event=refused peer=", transport->peer(), " reason=\"too many connections\"");
    return nullptr;
  }
  return &AddAdmitted(std::move(transport));
}

Link& Shard::AddAdmitted(std::unique_ptr<mqtt::Transport> transport) {
  auto& link = links_.emplace_back(std::make_unique<Link>(static_cast<LinkHost&>(*this), core_, std::move(transport)));
  link->index = static_cast<std::uint32_t>(links_.size() - 1);
  link->serial = ++last_link_;
  core_.counters.streams.Set(links_.size());
  link->Start();
  Schedule(*link);
  ArmTimer();
  return *link;
}

// The stream that has said nothing for longest goes.
bool Shard::MakeRoom() {
  Link* oldest = nullptr;
  for (const auto& link : links_) {
    if (!link->connection().awaits_connect()) continue;
    if (oldest == nullptr || link->serial < oldest->serial) oldest = link.get();
  }
  if (oldest == nullptr) return false;
  oldest->connection().GiveWay(Now());
  Schedule(*oldest);
  return true;
}

void Shard::Remove(Link& link) {
  deadlines_.Cancel(link);
  if (link.paused) std::erase(paused_, &link);
  if (link.patient) std::erase(patient_, &link);
  if (link.held) std::erase(held_, &link);
  LeaveQueue(link);
  const std::uint32_t index = link.index;
  std::swap(links_[index], links_.back());
  links_[index]->index = index;
  links_.pop_back();
  core_.counters.streams.Set(links_.size());
}

void Shard::OnAwake(Link& link) {
  awake_.push_back(&link);
  ScheduleFlush();
}

void Shard::ScheduleFlush() {
  const bool comes_anyway = flushes_after_rounds_ && poller_->in_round();
  if (comes_anyway || flush_posted_ || stopped()) return;
  flush_posted_ = true;
  Post(kFlush);
}

// In one order with what in-process clients read and write.
void Shard::Post(Chained what) {
  using Then = mqtt::ChainedExecutor::Then;
  chained_executor_.Post(std::shared_ptr<Target>(shared_from_this(), this), what,
                         what == kContinueTurn ? Then::kPause : Then::kGoOn);
}

void Shard::OnChained(int what) {
  if (what == kContinueTurn) return ContinueTurn();
  flush_posted_ = false;
  Flush();
}

// One timer for all, and none while nobody waits. A link that has written meanwhile stays
// on the list until the timer comes to it.
void Shard::OnPatient(Link& link) {
  if (link.patient_since == mqtt::kNever) link.patient_since = core_.now;
  if (std::exchange(link.patient, true)) return;
  patient_.push_back(&link);
  if (patient_.size() == 1) ArmPatience(link.patient_since + kPatience);
}

void Shard::ArmPatience(mqtt::TimePoint until) {
  if (stopped()) return;
  if (patience_timer_ == nullptr) patience_timer_ = core_.options.environment.clock->NewTimer(executor_);
  patience_timer_->Arm(until, [this] { WakePatient(); });
}

void Shard::WakePatient() {
  const mqtt::TimePoint now = Now();
  mqtt::TimePoint next = mqtt::kNever;
  std::erase_if(patient_, [&](Link* link) {
    const bool waits = link->patient_since != mqtt::kNever;
    if (waits && link->patient_since + kPatience > now) {
      next = std::min(next, link->patient_since + kPatience);
      return false;
    }
    link->patient = false;
    if (waits) {
      link->connection().OnWaitedInVain();
      link->Wake();
    }
    return true;
  });
  if (next != mqtt::kNever) ArmPatience(next);
}

void Shard::Flush() {
  if (stopped()) return;
  // First of all the others learn it; see Neighbours.
  if (core_.neighbours != nullptr) core_.neighbours->EndTurn();
  FlushAwake();
  if (core_.neighbours != nullptr && core_.neighbours->has_outgoing()) core_.neighbours->EndTurn();
  CountMemory();
  if (!paused_.empty() && core_.budget.relaxed()) ResumeAll();
  if (!held_.empty() && !core_.neighbours->WaitForRoom()) ReleaseHeld();
  ArmTimer();
}

void Shard::CountMemory() {
  core_.counters.memory_used.Set(core_.budget.used());
  core_.counters.memory_kept.Set(core_.budget.kept_here());
}

void Shard::FlushAwake() {
  const mqtt::TimePoint now = Now();
  core_.now = now;
  core_.work = 0;
  flushing_.swap(awake_);
  for (Link* link : flushing_) {
    if (link->Flush(now, gather_)) {
      Schedule(*link);
    } else {
      Remove(*link);
    }
  }
  flushing_.clear();
}

// Back-pressure: what is not read fills the sender's own buffers, not ours.
void Shard::OnPublished(Link& link) {
  if (link.paused || !core_.budget.tight() || link.connection().finished()) return;
  link.Pause();
  paused_.push_back(&link);
  if (paused_.size() > 1) return;
  core_.Log(LogLevel::kWarning, "event=publishers_paused queued_bytes=", core_.budget.used());
  if (resume_timer_ == nullptr) resume_timer_ = core_.options.environment.clock->NewTimer(executor_);
  resume_timer_->Arm(Now() + kLongestPause, [this] { ResumeAll(); });
}

void Shard::ResumeAll() {
  const mqtt::TimePoint now = Now();
  resume_timer_->Disarm();
  for (Link* link : paused_) {
    link->Resume(now);
    Schedule(*link);
  }
  paused_.clear();
  ArmTimer();
}

// A deadline that moved further away stays in the queue as it is until it fires:
// a packet then costs no work here.
void Shard::Schedule(Link& link) {
  const mqtt::TimePoint deadline = link.connection().deadline();
  if (!link.scheduled() || deadline < link.deadline()) deadlines_.Schedule(link, deadline);
}

void Shard::ArmTimer() {
  const mqtt::TimePoint next = std::min(deadlines_.Next(), core_.next_deadline());
  if (next == timer_armed_for_) return;
  timer_armed_for_ = next;
  if (timer_ == nullptr) timer_ = core_.options.environment.clock->NewTimer(executor_);
  timer_->Arm(next, [this] { OnTimer(); });
}

void Shard::OnTimer() {
  timer_armed_for_ = mqtt::kNever;
  const mqtt::TimePoint now = Now();
  core_.work = 0;
  // A thousand that fall silent together may all have wills for thousands.
  while (core_.work < BrokerCore::kWorkPerTurn) {
    auto* const due = deadlines_.PopDue(now);
    if (due == nullptr) break;
    Link& link = *static_cast<Link*>(due);
    if (link.connection().deadline() <= now) link.connection().OnDeadline(now);
    Schedule(link);
  }
  core_.OnDeadline(now);
  CountMemory();
  ArmTimer();
}

void Shard::DisconnectAll() {
  for (const auto& listener : listeners_) listener->Close();
  listeners_.clear();
  const mqtt::TimePoint now = Now();
  for (const auto& link : links_) {
    link->connection().Disconnect(ReasonCode::kServerShuttingDown, "the broker stops", now);
  }
  FlushAwake();
}

void Shard::Stop(absl::AnyInvocable<void()> done) {
  DisconnectAll();
  StopTurn(kStopTurns, std::move(done));
}

void Shard::StopTurn(int turns_left, absl::AnyInvocable<void()> done) {
  FlushAwake();
  if (links_.empty() || turns_left == 0) {
    StopNow();
    return done();
  }
  asio::post(executor_, [self = shared_from_this(), turns_left, then = std::move(done)]() mutable {
    self->StopTurn(turns_left - 1, std::move(then));
  });
}

void Shard::StopNow() {
  {
    const std::lock_guard lock(home_mutex_);
    stopped_ = true;
  }
  DisconnectAll();
  if (core_.neighbours != nullptr) core_.neighbours->Close();
  for (const auto& link : links_) link->Close();
  links_.clear();
  awake_.clear();
  paused_.clear();
  patient_.clear();
  held_.clear();
  waiting_.clear();
  by_age_.clear();
  timer_ = nullptr;
  resume_timer_ = nullptr;
  patience_timer_ = nullptr;
  hold_timer_ = nullptr;
}

}  // namespace mqttrpc::broker
