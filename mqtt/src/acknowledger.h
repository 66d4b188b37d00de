// The receiving side of QoS 1 and 2: who has which message, and what to answer.
#pragma once

#include <atomic>
#include <deque>
#include <unordered_map>

#include "client_parts.h"

namespace mqttrpc::mqtt {

// Sans-I/O part of ClientCore. Answers leave in the order the messages came
// (MQTT-4.6.0-2, MQTT-4.6.0-3). A QoS 1 message that is acknowledged at once
// leaves no trace; others are kept under their Packet Identifiers, which are
// part of the session: at most 65,535.
class Acknowledger {
 public:
  Acknowledger(const ClientOptions& options, ClientWork& work) : options_(options), work_(work) {}

  enum class Verdict {
    kHandOver,  // Then call Delivered() once the handlers had it.
    kKnown,     // It was handed over before; it is or will be answered.
  };
  // A QoS 1 or 2 PUBLISH came. Errors: the broker broke the protocol.
  absl::StatusOr<Verdict> OnPublish(const Publish& publish);

  // The message handed over will be settled by `handles` handles and Delivered().
  // Returns the serial number for the handles.
  std::uint64_t HandOver(const Publish& publish, std::size_t handles);

  // Handlers without a handle had the message that HandOver() last announced.
  void Delivered();

  // One handle's answer. Ignored if `serial` names nothing any more.
  void Settle(std::uint64_t serial, Acknowledgement::Target::Answer answer, ReasonCode code);

  // Errors: the broker broke the protocol.
  absl::Status OnPubRel(const PubRel& pubrel);

  void OnTaken() { answered_in_buffer_ = 0; }
  void OnConnectionLost();
  void OnSession(bool session_present);

  // Any thread. Of handles; another number means that the session is another.
  std::uint64_t session() const { return session_; }
  // What the broker waits for on this connection.
  std::size_t unacknowledged() const { return unacknowledged_; }
  std::size_t kept() const { return kept_.size(); }

 private:
  struct Kept {
    enum class Stage {
      kHanded,    // Handlers have it.
      kDropped,   // They had, and one dropped its handle.
      kAnswered,  // `code` is what to answer, in its turn.
      kReceived,  // QoS 2: PUBREC with success is out. PUBREL ends it.
    };
    Stage stage = Stage::kHanded;
    QoS qos = QoS::kAtLeastOnce;
    ReasonCode code = ReasonCode::kSuccess;
    std::uint64_t serial = 0;
    std::size_t waits_for = 0;  // Answers.
    bool dropped = false;
    bool here = false;  // It came on this connection, and counts.
  };

  std::deque<PacketId>& ArrivalsOf(QoS qos) { return arrivals_[qos == QoS::kExactlyOnce ? 1 : 0]; }
  bool RoomFor(std::size_t more) const {
    return unacknowledged_ + answered_in_buffer_ + more <= options_.receive_maximum;
  }
  absl::Status TooMany() const;
  void Count(Kept& kept);
  void Uncount(Kept& kept);
  void Answered(Kept& kept);
  void Flush(QoS qos);
  void Answer(PacketId packet_id, QoS qos, ReasonCode code);
  void Erase(PacketId packet_id);

  const ClientOptions& options_;
  ClientWork& work_;
  std::atomic<std::uint64_t> session_{1};  // Handles on other threads read it.
  std::uint64_t last_serial_ = 0;
  std::unordered_map<PacketId, Kept> kept_;
  std::unordered_map<std::uint64_t, PacketId> by_serial_;

  // Unanswered messages of this connection, in order; QoS 1 and 2 apart.
  std::deque<PacketId> arrivals_[2];
  std::size_t unacknowledged_ = 0;
  std::size_t answered_in_buffer_ = 0;  // Since output was last taken: the broker cannot know yet.

  // Between HandOver() and Delivered().
  PacketId delivering_ = 0;              // 0: nothing to answer.
  std::uint64_t delivering_serial_ = 0;  // 0: a QoS 1 message without a trace.
};

}  // namespace mqttrpc::mqtt
