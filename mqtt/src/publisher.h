// The client's outgoing messages: queue, quota, acknowledgements, repetition.
#pragma once

#include <list>
#include <unordered_map>
#include <vector>

#include "client_parts.h"

namespace mqttrpc::mqtt {

// Sans-I/O part of ClientCore. Messages leave in the order they came, also over
// lost connections (MQTT-4.6.0-1).
class Publisher {
 public:
  Publisher(const ClientOptions& options, ClientWork& work) : options_(options), work_(work) {}

  // Queues it, or refuses it at once.
  void Add(PublishOperation operation);

  // Sends what quota and buffer allow. `everything`: never mind the buffer.
  void Pump(bool everything = false);

  // False if `id` belongs to something that is no PUBLISH.
  bool OnPubAck(const PubAck& ack);

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

 private:
  using Queue = std::list<PublishOperation>;

  // Where a cancellable operation is.
  struct Place {
    Queue::iterator queued;
    PacketId packet_id = 0;  // If not 0: in flight.
  };

  // A QoS 0 message in the buffer.
  struct Unwritten {
    OperationId id = 0;
    Completion<CodeResult> done;
  };

  bool MaySend(bool everything) const;
  bool MaySendQoS1() const;
  absl::Status CheckAgainstLimits(const Message& message) const;
  absl::Status Encode(const PublishOperation& operation, PacketId packet_id, bool dup);
  bool SendNew(PublishOperation& operation);
  void Repeat(PacketId packet_id);  // MQTT-3.3.1-1
  void Finish(PublishOperation& operation, CodeResult result);

  const ClientOptions& options_;
  ClientWork& work_;
  Queue queue_;
  std::size_t queued_bytes_ = 0;
  std::deque<PacketId> to_repeat_;
  std::size_t on_wire_ = 0;          // Unacknowledged on this connection.
  std::size_t in_flight_bytes_ = 0;  // Kept for repetition.
  std::vector<Unwritten> in_buffer_, being_written_;
  std::unordered_map<OperationId, Place> places_;
};

}  // namespace mqttrpc::mqtt
