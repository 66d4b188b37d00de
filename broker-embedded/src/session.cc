#include "session.h"

#include <utility>

#include "broker_core.h"

namespace mqttrpc::broker {
namespace {

// What an idle session takes, about: itself and its places in maps.
std::size_t CostOf(const std::string& client_id) { return sizeof(Session) + 2 * client_id.size() + 128; }

constexpr std::size_t kCostOfId = 8;  // In a hash set of them, about.

}  // namespace

Session::Session(BrokerCore& core, std::string client_id)
    : core_(core),
      client_id_(std::move(client_id)),
      outbox_(Outbox::Limits(core.options.maximum_queued_messages, core.options.maximum_queued_bytes,
                             core.options.maximum_in_flight),
              core.budget, core.counters),
      retained_scans_(core.budget) {
  core_.budget.Take(CostOf(client_id_));
}

Session::~Session() { core_.budget.Give(CostOf(client_id_) + unreleased_.size() * kCostOfId); }

void Session::Attach(SessionPeer& peer, const PeerLimits& limits) {
  peer_ = &peer;
  dropping_ = false;
  outbox_.Attach(limits);
}

void Session::Detach() {
  peer_ = nullptr;
  core_.router.Redistribute(outbox_.TakeShared());
  outbox_.Detach();
  retained_scans_.RemoveQoS0();
}

bool Session::WantsRetained(const Delivery& delivery) const {
  constexpr std::size_t kAhead = 1000;  // In the queue, for one write after the other.
  return Listens() && outbox_.waiting_messages() < kAhead && outbox_.HasRoomFor(delivery) &&
         outbox_.HasMemoryFor(delivery, false);
}

void Session::AddUnreleased(mqtt::PacketId packet_id) {
  if (unreleased_.insert(packet_id).second) core_.budget.Take(kCostOfId);
}

bool Session::Release(mqtt::PacketId packet_id) {
  if (unreleased_.erase(packet_id) == 0) return false;
  core_.budget.Give(kCostOfId);
  constexpr std::size_t kSparse = 8;
  if (unreleased_.capacity() > kSparse * (unreleased_.size() + kSparse)) unreleased_.rehash(0);
  return true;
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
