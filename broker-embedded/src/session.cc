#include "session.h"

#include <utility>

#include "broker_core.h"

namespace mqttrpc::broker {
namespace {

// What an idle session takes, about: itself and its place in a set.
std::size_t CostOf(const std::string& client_id) { return sizeof(Session) + client_id.size() + 64; }

constexpr std::size_t kCostOfId = 8;  // In a hash set of them, about.

// Places for so many are kept, although fewer are in use: with the usual options it is
// twice what is under way. Of more, one in kSparse is to be used.
constexpr std::size_t kManyIds = 2'047;
constexpr std::size_t kSparse = 8;

}  // namespace

Session::Session(BrokerCore& core, std::string client_id)
    : core_(core), client_id_(std::move(client_id)), outbox_(core.outboxes) {
  core_.budget.Take(CostOf(client_id_));
}

Session::~Session() { core_.budget.Give(CostOf(client_id_) + unreleased() * kCostOfId); }

void Session::Attach(SessionPeer& peer, const PeerLimits& limits) {
  peer_ = &peer;
  dropping_ = false;
  outbox_.Attach(limits);
  core_.router.OnMemberChanged(*this);
}

void Session::Detach() {
  peer_ = nullptr;
  core_.router.Redistribute(outbox_.TakeShared());
  outbox_.Detach();
  core_.router.OnMemberChanged(*this);
  if (retained_scans_ == nullptr) return;
  retained_scans_->RemoveQoS0();
  SettleRetainedScans();
}

void Session::AddRetainedScan(std::string_view topic_filter, const SubscriptionOptions& granted) {
  if (core_.retained.size() == 0) return;
  if (retained_scans_ == nullptr) retained_scans_ = std::make_unique<RetainedScans>(core_.budget);
  retained_scans_->Add(topic_filter, granted);
}

void Session::RemoveRetainedScan(std::string_view topic_filter) {
  if (retained_scans_ == nullptr) return;
  retained_scans_->Remove(topic_filter);
  SettleRetainedScans();
}

void Session::ScanRetainedAgainAt(mqtt::TimePoint at) {
  if (retained_scans_ != nullptr) retained_scans_->again_at = at;
}

std::size_t Session::RunRetainedScans(mqtt::TimePoint now, std::size_t most, absl::FunctionRef<bool(Delivery&)> take) {
  if (retained_scans_ == nullptr) return 0;
  const std::size_t looked_at = retained_scans_->Run(core_.retained, now, most, take);
  SettleRetainedScans();
  return looked_at;
}

void Session::SettleRetainedScans() {
  if (retained_scans_->empty()) retained_scans_ = nullptr;
}

bool Session::WantsRetained(const Delivery& delivery) const {
  constexpr std::size_t kAhead = 1000;  // In the queue, for one write after the other.
  return Listens() && outbox_.waiting_messages() < kAhead && outbox_.HasRoomFor(delivery) &&
         outbox_.HasMemoryFor(delivery, false);
}

void Session::AddUnreleased(mqtt::PacketId packet_id) {
  if (unreleased_ == nullptr) unreleased_ = core_.unreleased.Take();
  if (unreleased_->ids.insert(packet_id).second) core_.budget.Take(kCostOfId);
}

bool Session::Release(mqtt::PacketId packet_id) {
  if (!IsUnreleased(packet_id)) return false;
  unreleased_->ids.erase(packet_id);
  core_.budget.Give(kCostOfId);
  if (unreleased_->ids.empty()) {
    core_.unreleased.Give(std::move(unreleased_));
  } else if (unreleased_->ids.capacity() > kManyIds && unreleased_->ids.capacity() > kSparse * unreleased()) {
    unreleased_->ids.rehash(0);
  }
  return true;
}

void Session::Unreleased::Rest(bool roomy) {
  if (ids.capacity() > (roomy ? kManyIds : 0)) ids = absl::flat_hash_set<mqtt::PacketId>();
}

Outbox::Outcome Session::Deliver(Delivery delivery) {
  const bool stalled = connected() && !Listens();
  const Outbox::Outcome outcome = outbox_.Push(std::move(delivery), stalled);
  if (outcome == Outbox::Outcome::kQueued) {
    OnQueued();
  } else if (outcome == Outbox::Outcome::kFull && !dropping_) {
    dropping_ = true;  // One line for as long as it lasts.
    core_.Log(mqtt::LogLevel::kWarning, "event=dropping_messages client_id=", Quoted(client_id_),
              " waiting_messages=", outbox_.waiting_messages(), " waiting_bytes=", outbox_.bytes());
  }
  return outcome;
}

void Session::OnQueued() {
  if (outbox_.waiting_messages() == 1) dropping_ = false;
  if (peer_ != nullptr) peer_->OnWork();
}

void Session::DeliverHeld(Delivery delivery) {
  outbox_.Queue(std::move(delivery));
  OnQueued();
}

std::optional<std::size_t> Session::LoadFor(const Delivery& delivery) const {
  if (!Listens() || !outbox_.HasRoomFor(delivery)) return std::nullopt;
  if (delivery.qos != mqtt::QoS::kAtMostOnce && !outbox_.HasWindowFor(outbox_.waiting_messages() + 1)) {
    return std::nullopt;
  }
  return outbox_.outstanding();
}

}  // namespace mqttrpc::broker
