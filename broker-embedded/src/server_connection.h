// One connection, from its first byte to its last: the protocol, without I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "authentication.h"
#include "broker_core.h"
#include "handshake.h"
#include "incoming.h"
#include "incoming_aliases.h"
#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/status.h"
#include "packet_writer.h"
#include "session.h"

namespace mqttrpc::broker {

// Is fed bytes and the time; answers through its writer, and routes messages to
// other sessions. What outlives the connection is in its Session. One shard's thread.
//
// The shell moves bytes: it calls Collect() and OnWritten(), OnDeadline() at
// deadline(), and once finished() holds it sends what is left and closes.
class ServerConnection final : private SessionPeer {
 public:
  class Shell {
   public:
    // There may be something to send, or finished() has changed. Must not call back.
    virtual void Wake() = 0;
    // What there is to send can wait a moment for company.
    virtual void WakeLater() = 0;
    // Whom it leads to, for the log.
    virtual std::string peer() const = 0;
    // Whether the stream can go on with another shard.
    virtual bool CanMove() const = 0;

   protected:
    ~Shell() = default;
  };

  // All references outlive the connection.
  ServerConnection(BrokerCore& core, Shell& shell, mqtt::TimePoint now);
  ~ServerConnection();

  // `in_turn`: else they are only kept, for Continue().
  void OnBytes(std::span<const std::byte> bytes, mqtt::TimePoint now, bool in_turn);
  // What has come before and waits for its turn is handled yet: a DISCONNECT may be in it.
  void OnStreamEnd(const absl::Status& why, mqtt::TimePoint now);
  void OnDeadline(mqtt::TimePoint now);

  // Whether OnBytes() has left something for a later turn, because it was none or what
  // came before cost much: Continue() then. Others get their turn meanwhile.
  bool unfinished() const { return unfinished_ && !finished(); }
  // ... and those only after OnWritten(): it reads too few of our answers.
  bool choked() const { return unfinished() && !StreamEnded() && AnswersPileUp(); }
  // The same for retained messages that it has not looked at: Collect() found more.
  bool scan_waits() const { return scan_waits_ && !finished(); }
  void Continue(mqtt::TimePoint now);

  // What has been done for it lately, in the units of BrokerCore::work: of those that
  // wait, who had the least comes first. Halves every second.
  std::uint64_t served(mqtt::TimePoint now) const { return Recent(served_, now); }
  // The same of what other shards had to do for it.
  std::uint64_t served_elsewhere(mqtt::TimePoint now) const { return Recent(served_elsewhere_, now); }

  // Where to read to next: the memory of an unfinished large packet, or `offered`; less of
  // it while the client has to take answers.
  std::span<std::byte> BufferFor(std::span<std::byte> offered);

  // What is to be written next; see PacketWriter.
  void Collect(mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather);
  void OnWritten();
  bool idle() const { return writer_.idle(); }
  // Whether Collect() may find something now that the last write is over.
  bool has_more_to_say() const;

  // Its acknowledgements have waited for company and must go now. For a while the next ones
  // do not wait.
  void OnWaitedInVain();

  // Ends it from our side: DISCONNECT with `code` if the client was accepted.
  void Disconnect(mqtt::ReasonCode code, std::string_view reason, mqtt::TimePoint now);

  // Whether the shell has stopped to read from it: a silence that is our doing.
  void OnReadingPaused() { reading_paused_ = true; }
  void OnReadingResumed(mqtt::TimePoint now);

  // When OnDeadline() is wanted. It moves only further away by itself, except when the
  // CONNECT is accepted, by Continue(), and when finished() becomes true.
  mqtt::TimePoint deadline() const;

  // The shard its client belongs to, if that is another: the stream is to go on there, with
  // TakeUnread() first. Nothing is known of it here, and nothing was answered.
  std::optional<std::size_t> moves_to() const {
    return incoming_ == nullptr || finished() ? std::nullopt : incoming_->moves_to;
  }
  std::string TakeUnread();
  // It has come from another shard, to stay.
  void set_moved() { moved_ = true; }

  // A stream that has not said who it is may have to make room for others.
  bool awaits_connect() const { return state_ == State::kAwaitingConnect && !unfinished_ && !moves_to(); }
  void GiveWay(mqtt::TimePoint now);

  bool finished() const { return state_ == State::kFinished; }
  // Nothing more can be sent either: the stream is gone, or its time is over.
  bool abandoned() const { return abandoned_; }
  // Whether it has published since the last time that somebody asked.
  bool TakePublished() { return std::exchange(published_, false); }

 private:
  friend struct Incoming;
  enum class State : std::uint8_t { kAwaitingConnect, kAuthenticating, kConnected, kFinished };

  // SessionPeer:
  void OnWork() override { shell_.Wake(); }
  bool Stalled() const override;
  void OnTakenOver(mqtt::TimePoint now) override;

  // connection_frames.cc
  Incoming& Receive();
  void SettleIncoming();
  bool StreamEnded() const { return incoming_ != nullptr && incoming_->stream_end; }
  void GiveUp(mqtt::TimePoint now);
  void HandleFrames(mqtt::TimePoint now);
  void HandleFrame(const mqtt::Frame& frame, mqtt::TimePoint now);
  void KeepTail(mqtt::TimePoint now);
  std::uint64_t Recent(std::uint32_t work, mqtt::TimePoint now) const;
  void AddServed(std::size_t work, std::size_t elsewhere, mqtt::TimePoint now);
  bool AnswersPileUp() const;

  // server_connection.cc
  absl::Status CheckRoomFor(const mqtt::Connect& connect, bool known) const;
  absl::Status HandleFirst(const mqtt::Frame& frame, mqtt::TimePoint now);
  absl::Status MoveTo(std::size_t shard, const mqtt::Frame& frame);
  std::string AssignedClientId() const;
  absl::Status Accept(const mqtt::Connect& connect, mqtt::TimePoint now);
  void Begin(const mqtt::Connect& connect, mqtt::TimePoint now);
  void Refuse(const absl::Status& why, mqtt::TimePoint now);
  void Finish(const absl::Status& why, mqtt::TimePoint now);
  void ScanRetained(mqtt::TimePoint now);
  mqtt::TimePoint WriteDeadline() const;
  mqtt::TimePoint SilenceDeadline() const;

  // connection_auth.cc
  absl::Status BeginAuthentication(const mqtt::Connect& connect, const mqtt::Frame& frame, mqtt::TimePoint now);
  absl::Status NewExchange(std::string_view client_id);
  absl::Status TakeAuthStep(std::optional<std::string_view> data, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Auth& auth, mqtt::TimePoint now);

  // connection_packets.cc
  absl::Status HandlePacket(const mqtt::Packet& packet, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Connect& connect, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Subscribe& subscribe, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Unsubscribe& unsubscribe, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::PingReq& ping, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::Disconnect& disconnect, mqtt::TimePoint now);
  template <typename Other>  // Whatever a client may not send.
  absl::Status OnPacket(const Other& packet, mqtt::TimePoint now);
  mqtt::ReasonCode AddSubscription(const mqtt::SubscribeEntry& entry, std::uint32_t identifier, bool& is_new);

  // connection_publish.cc
  absl::Status OnPacket(const mqtt::Publish& publish, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::PubAck& ack, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::PubRec& received, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::PubRel& release, mqtt::TimePoint now);
  absl::Status OnPacket(const mqtt::PubComp& complete, mqtt::TimePoint now);
  absl::Status CheckPublish(const mqtt::Publish& publish) const;
  absl::Status CheckQuota() const;
  bool AckCanWait(bool expects_answer, mqtt::ReasonCode code);
  bool ExpectsAnswer(const mqtt::Publish& publish) const;
  absl::Status ResolveTopic(const mqtt::Publish& publish, std::string_view& topic_name);
  MessageRef MessageOf(const mqtt::Publish& publish, std::string_view topic_name, mqtt::TimePoint now);
  mqtt::ReasonCode Route(const mqtt::Publish& publish, std::string_view topic_name, mqtt::TimePoint now);
  absl::Status AfterAck(Outbox::Known known, std::string_view packet, mqtt::PacketId packet_id);
  void KeepWill(const mqtt::Will& will, mqtt::TimePoint now);

  bool v5() const { return terms_.peer.version == mqtt::ProtocolVersion::k5; }
  template <typename PacketT>
  void Answer(const PacketT& packet);
  void Appended(const absl::Status& status);  // By the writer.
  template <typename PacketT>
  void AnswerWithReason(const PacketT& packet, std::string_view reason);

  template <typename... Pieces>
  void Log(mqtt::LogLevel level, std::string_view event, const Pieces&... pieces) const;

  // What a connection has as long as it lives. Whatever only some need, or all for moments
  // only, is not there otherwise: most are idle.
  BrokerCore& core_;
  Shell& shell_;
  Session* session_ = nullptr;  // While connected.
  PacketWriter writer_;
  std::unique_ptr<Incoming> incoming_;        // Null: all that has arrived is handled.
  std::unique_ptr<IncomingAliases> aliases_;  // Null: the client has used none.
  std::unique_ptr<Authentication> auth_;      // Null: CONNECT named no method.
  mqtt::TimePoint last_packet_at_;            // Before CONNECT is accepted the beginning, afterwards the end.
  mqtt::TimePoint served_at_{};
  std::uint32_t served_ = 0;  // At served_at_, as the next.
  std::uint32_t served_elsewhere_ = 0;
  ConnectionTerms terms_;
  std::uint32_t asked_expiry_ = 0;  // In CONNECT.
  std::uint16_t unreleased_ = 0;    // QoS 2 messages of this connection that it has not released: no more than ids.
  State state_ = State::kAwaitingConnect;
  bool abandoned_ : 1 = false;
  bool reading_paused_ : 1 = false;
  bool unfinished_ : 1 = false;
  bool resumed_ : 1 = false;  // The session was there before.
  bool moved_ : 1 = false;
  bool scan_waits_ = false;
  bool scan_turn_ = false;  // The next Collect() may look at retained messages.
  bool published_ = false;
  std::uint8_t acks_at_once_ = 0;  // So many do not wait.
};

template <typename PacketT>
void ServerConnection::Answer(const PacketT& packet) {
  Appended(writer_.Append(packet));
}

inline void ServerConnection::Appended(const absl::Status& status) {
  shell_.Wake();
  if (!status.ok()) Log(mqtt::LogLevel::kDebug, "unsent", " reason=", Quoted(mqtt::ToStd(status.message())));
}

template <typename... Pieces>
void ServerConnection::Log(mqtt::LogLevel level, std::string_view event, const Pieces&... pieces) const {
  if (core_.Logs(level)) core_.Log(level, "event=", mqtt::ToAbsl(event), " peer=", shell_.peer(), pieces...);
}

// Puts a Reason String on `packet` if there is one to give and the client takes
// it: never a packet over its maximum (MQTT-3.2.2-19, MQTT-3.9.2-1, MQTT-3.11.2-1,
// MQTT-3.14.2-3), no ill-formed text that a peer made us quote.
template <typename PacketT>
void ServerConnection::AnswerWithReason(const PacketT& packet, std::string_view reason) {
  if (!reason.empty() && v5()) {
    mqtt::Properties properties(packet.properties);
    properties.Set(mqtt::property::kReasonString, reason);
    PacketT with_reason = packet;
    with_reason.properties = properties;
    if (writer_.Append(with_reason).ok()) return shell_.Wake();
  }
  Answer(packet);
}

}  // namespace mqttrpc::broker
