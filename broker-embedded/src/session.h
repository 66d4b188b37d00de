// What the broker keeps of a client, with or without a connection (MQTT 4.1).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_set.h>
#include <absl/functional/function_ref.h>

#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/mqtt/reason_code.h"
#include "outbox.h"
#include "retained_scans.h"
#include "router.h"

namespace mqttrpc::broker {

struct BrokerCore;

// The connection that a session has at the moment.
class SessionPeer {
 public:
  virtual void OnWork() = 0;                          // The outbox has something to send.
  virtual bool Stalled() const = 0;                   // It has taken nothing for a while.
  virtual void OnTakenOver(mqtt::TimePoint now) = 0;  // Another connection has the client id.

 protected:
  ~SessionPeer() = default;
};

// One client id: its subscriptions, the messages for it, the QoS 2 messages it has
// not released, its will. One shard's thread; owned by the SessionStore.
class Session final : public RouteTarget, public mqtt::DeadlineQueue::Entry {
 public:
  Session(BrokerCore& core, std::string client_id);
  ~Session() override;

  const std::string& client_id() const { return client_id_; }
  bool connected() const { return peer_ != nullptr; }

  // A connection begins or ends.
  void Attach(SessionPeer& peer, const PeerLimits& limits);
  void Detach();
  SessionPeer* peer() const { return peer_; }

  Outbox& outbox() { return outbox_; }

  // Retained messages that it is to get; see RetainedScans. Those are there only while
  // there are some.
  bool HasRetainedScans() const { return retained_scans_ != nullptr; }
  void AddRetainedScan(std::string_view topic_filter, const SubscriptionOptions& granted);
  void RemoveRetainedScan(std::string_view topic_filter);
  void ScanRetainedAgainAt(mqtt::TimePoint at);  // If there are any left.
  mqtt::TimePoint retained_scan_at() const {
    return retained_scans_ == nullptr ? mqtt::kNever : retained_scans_->again_at;
  }
  std::size_t RunRetainedScans(mqtt::TimePoint now, std::size_t most, absl::FunctionRef<bool(Delivery&)> take);

  // Whether it is time for `delivery` of a retained message: those wait where they are
  // rather than in the queue.
  bool WantsRetained(const Delivery& delivery) const;

  // QoS 2 from the client (4.3.3): which identifiers were received and not released.
  bool IsUnreleased(mqtt::PacketId packet_id) const {
    return unreleased_ != nullptr && unreleased_->ids.contains(packet_id);
  }
  void AddUnreleased(mqtt::PacketId packet_id);
  bool Release(mqtt::PacketId packet_id);
  std::size_t unreleased() const { return unreleased_ == nullptr ? 0 : unreleased_->ids.size(); }

  // Those identifiers, while there are some.
  struct Unreleased {
    void Rest(bool roomy);  // See Pool.
    absl::flat_hash_set<mqtt::PacketId> ids;
  };

  // Seconds after the connection's end; 0xFFFFFFFF: never. Set by the connection.
  std::uint32_t expiry = 0;
  std::uint32_t will_delay = 0;  // Seconds, from then on too.
  MessageRef will;               // Not deleted by a DISCONNECT (3.1.2.5). Null: none.
  mqtt::TimePoint disconnected_at{};

  // RouteTarget:
  Outbox::Outcome Deliver(Delivery delivery) override;
  std::optional<std::size_t> LoadFor(const Delivery& delivery) const override;
  void DeliverHeld(Delivery delivery) override;
  bool Listens() const override { return peer_ != nullptr && !peer_->Stalled(); }
  Outbox::Room room() const override { return Listens() ? outbox_.room() : Outbox::Room(); }

 private:
  void OnQueued();
  void SettleRetainedScans();

  BrokerCore& core_;
  const std::string client_id_;
  Outbox outbox_;
  std::unique_ptr<RetainedScans> retained_scans_;  // Null: none.
  std::unique_ptr<Unreleased> unreleased_;         // Null: none.
  SessionPeer* peer_ = nullptr;
  bool dropping_ = false;  // Its queue is full, and the log knows.
};

}  // namespace mqttrpc::broker
