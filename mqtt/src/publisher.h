// The client's outgoing messages: queue, quota, acknowledgements, repetition.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "client_parts.h"
#include "topic_aliases.h"

namespace mqttrpc::mqtt {

// Sans-I/O part of ClientCore. Messages leave in the order they came, also over
// lost connections (MQTT-4.6.0-1). publisher.cc has the queue and the sending,
// publisher_flow.cc what follows: answers, repetition, ends.
class Publisher {
 public:
  Publisher(const ClientOptions& options, ClientWork& work) : options_(options), work_(work) {}

  // Queues it, or refuses it at once.
  void Add(PublishNode&& operation, bool connected, TimePoint now);

  // Sends what quota and buffer allow. `everything`: never mind the buffer.
  void Pump(bool everything = false);

  // Errors: the broker broke the protocol.
  absl::Status OnPubAck(const PubAck& ack);
  absl::Status OnPubRec(const PubRec& ack);
  absl::Status OnPubComp(const PubComp& ack);

  // The bytes in ClientWork::out are being written now; they have been written.
  void OnTaken();
  void OnWritten();

  void OnConnectionLost();

  // Repeats what is unacknowledged: with DUP if the broker kept the session
  // (MQTT-4.4.0-1), else as new messages.
  void OnSession(bool session_present);

  // Ends the operation with kCancelled. False if it is not here.
  bool Cancel(OperationId id);

  // Ends everything with `why`. Called without a connection. What was under way
  // stays part of the session.
  void CancelAll(const absl::Status& why);

  std::size_t queued_messages() const { return queue_.size(); }
  std::size_t queued_bytes() const { return queued_bytes_; }

 private:
  // A QoS 0 message in the buffer.
  struct Unwritten {
    OperationId id = 0;
    Completion<CodeResult> done;
  };

  // publisher.cc
  bool MakeRoom(std::size_t bytes);
  bool MaySend(bool everything) const;
  bool MaySendAcknowledged() const;
  absl::Status CheckAgainstLimits(const Message& message) const;
  absl::Status Encode(const PublishOperation& operation, PacketId packet_id, bool dup);
  absl::Status EncodeWithin(const Publish& publish);
  bool ExpiredWaiting(PublishOperation& operation);
  bool SendFirst();
  bool SendUnacknowledged(PublishOperation& operation);
  void Finish(PublishOperation& operation, CodeResult result);

  // publisher_flow.cc
  // What waits for `packet_id`: null if nothing does any more. Errors: something
  // else does, or a message of another QoS.
  absl::StatusOr<PublishOperation*> Find(PacketId packet_id, QoS qos, std::string_view answer);
  void Ended(PacketId packet_id, PublishOperation& operation, CodeResult result);
  void SendPubRel(PacketId packet_id, ReasonCode code);
  void Repeat(PacketId packet_id);
  void RepeatInOrder(const std::vector<PacketId>& unacknowledged);

  const ClientOptions& options_;
  ClientWork& work_;
  PublishNode queue_;
  std::size_t queued_bytes_ = 0;
  std::deque<PacketId> to_repeat_;
  std::size_t on_wire_ = 0;          // Unacknowledged on this connection.
  std::size_t in_flight_bytes_ = 0;  // Kept for repetition.
  std::uint64_t releases_ = 0;       // PUBRECs so far.
  OutgoingAliases aliases_;
  std::string aliased_properties_;  // Kept for its room.
  std::vector<Unwritten> in_buffer_, being_written_;
  absl::flat_hash_map<OperationId, PublishNode::iterator> cancellable_;  // In the queue or in flight.
};

}  // namespace mqttrpc::mqtt
