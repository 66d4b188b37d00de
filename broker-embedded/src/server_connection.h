// One client, from its first byte to its last: the protocol, without I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "broker_core.h"
#include "frame_buffer.h"
#include "handshake.h"
#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/mqtt/status.h"
#include "out_queue.h"
#include "router.h"

namespace mqttrpc::broker {

// Is fed bytes and the time; answers through out(), and routes messages to other
// connections. Sessions do not outlive connections yet, so this is the session
// too. One shard's thread.
//
// The shell moves bytes: it calls out().Collect() and Written(), OnDeadline() at
// deadline(), and once finished() holds it sends what out() still has and closes.
class ServerConnection final : public RouteTarget {
 public:
  // Is told when out() or finished() may have changed. Must not call back.
  class Waker {
   public:
    virtual void Wake() = 0;

   protected:
    ~Waker() = default;
  };

  // `peer` is for the log. All references outlive the connection.
  ServerConnection(BrokerCore& core, Waker& waker, std::string peer, mqtt::TimePoint now);
  ~ServerConnection() override;

  void OnBytes(std::span<const std::byte> bytes, mqtt::TimePoint now);
  void OnStreamEnd(const absl::Status& why, mqtt::TimePoint now);
  void OnDeadline(mqtt::TimePoint now);

  // Ends it from our side: DISCONNECT with `code` if the client was accepted.
  void Disconnect(mqtt::ReasonCode code, std::string_view reason, mqtt::TimePoint now);

  // Whether the shell has stopped to read from it: a silence that is our doing.
  void OnReadingPaused() { reading_paused_ = true; }
  void OnReadingResumed(mqtt::TimePoint now);

  // When OnDeadline() is wanted. It moves only further away by itself, except
  // when the CONNECT is accepted and when finished() becomes true.
  mqtt::TimePoint deadline() const;

  OutQueue& out() { return out_; }
  bool finished() const { return state_ == State::kFinished; }
  // Nothing more can be sent either: the stream is gone, or its time is over.
  bool abandoned() const { return abandoned_; }
  const std::string& client_id() const { return client_id_; }
  std::uint64_t publishes_received() const { return publishes_received_; }

  // RouteTarget:
  OutQueue::Outcome Deliver(Delivery delivery) override;
  OutQueue::Readiness ReadinessFor(const Delivery& delivery) const override;

 private:
  mqtt::TimePoint WriteDeadline() const;
  enum class State { kAwaitingConnect, kConnected, kFinished };

  void HandleFrame(const mqtt::Frame& frame, mqtt::TimePoint now);
  absl::Status HandleFirst(const mqtt::Frame& frame, mqtt::TimePoint now);
  absl::Status HandlePacket(const mqtt::Packet& packet, mqtt::TimePoint now);

  absl::Status OnPacket(const mqtt::Connect& connect, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Publish& publish, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::PubAck& ack, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Subscribe& subscribe, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Unsubscribe& unsubscribe, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::PingReq& ping, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Disconnect& disconnect, mqtt::TimePoint now);
  // Whatever a client may not send in this state, or a broker of QoS 1 never asked for.
  template <typename Other>
  absl::Status OnPacket(const Other& packet, mqtt::TimePoint now);

  absl::Status Accept(const mqtt::Connect& connect, mqtt::TimePoint now);
  void TakeOver(mqtt::TimePoint now);
  void Refuse(const absl::Status& why, mqtt::TimePoint now);
  absl::Status ResolveTopic(const mqtt::Publish& publish, std::string_view& topic_name);
  mqtt::ReasonCode Route(const mqtt::Publish& publish, std::string_view topic_name, mqtt::TimePoint now);
  mqtt::ReasonCode AddSubscription(const mqtt::SubscribeEntry& entry, std::uint32_t identifier);
  void KeepWill(const mqtt::Will& will);
  void PublishWill(mqtt::TimePoint now);
  void Finish(const absl::Status& why, mqtt::TimePoint now);
  template <typename PacketT>
  void AppendWithReason(PacketT packet, std::string_view reason);

  BrokerCore& core_;
  Waker& waker_;
  const std::string peer_;
  State state_ = State::kAwaitingConnect;
  bool abandoned_ = false;
  bool reading_paused_ = false;
  bool dropping_ = false;  // Its queue is full, and the log knows.
  mqtt::FrameBuffer frames_;
  OutQueue out_;

  std::string client_id_;
  ConnectionTerms terms_;
  std::vector<std::string> aliases_;     // aliases_[i] is what alias i + 1 stands for; grows on use.
  std::unique_ptr<mqtt::Message> will_;  // Null: none, or deleted by DISCONNECT 0x00.
  mqtt::TimePoint last_packet_at_;       // Or the beginning, or the end, by state.
  std::uint64_t publishes_received_ = 0;
};

// Puts a Reason String on `packet` if there is one to give and the client takes
// it: never a packet over its maximum (MQTT-3.2.2-19, MQTT-3.9.2-1, MQTT-3.11.2-1,
// MQTT-3.14.2-3), no ill-formed text that a peer made us quote.
template <typename PacketT>
void ServerConnection::AppendWithReason(PacketT packet, std::string_view reason) {
  mqtt::Properties properties(packet.properties);
  if (!reason.empty()) {
    properties.Set(mqtt::property::kReasonString, reason);
    PacketT with_reason = packet;
    with_reason.properties = properties;
    if (out_.Append(with_reason).ok()) return;
  }
  if (absl::Status status = out_.Append(packet); !status.ok()) {
    core_.Log(mqtt::LogLevel::kDebug, "event=unsent peer=", peer_, " reason=", Quoted(mqtt::ToStd(status.message())));
  }
}

}  // namespace mqttrpc::broker
