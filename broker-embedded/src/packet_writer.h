// What waits to be sent to one client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "buffer_pool.h"
#include "counters.h"
#include "fifo.h"
#include "in_flight.h"
#include "memory_budget.h"
#include "mqttrpc/mqtt/clock.h"
#include "packets.h"
#include "shared_message.h"

namespace mqttrpc::broker {

// Packets of our own (acknowledgements and the like) go out first, in order;
// then messages in order, except that QoS 1 beyond the client's Receive Maximum
// waits while QoS 0 goes on (MQTT-3.3.4-9, MQTT-3.3.4-10). Messages become bytes
// only when a write can begin: until then they may expire, and cost a reference.
class OutQueue {
 public:
  struct Limits {
    Limits(std::size_t messages_in, std::size_t bytes_in) : messages(messages_in), bytes(bytes_in) {}
    std::size_t messages;
    std::size_t bytes;
  };

  // What became of a message.
  enum class Outcome {
    kQueued,
    kFull,      // Over this client's limits, or over the broker's.
    kTooLarge,  // Over the client's Maximum Packet Size: counts as sent (MQTT-3.1.2-25).
  };

  // How soon a message would go.
  enum class Readiness { kNow, kLater, kNever };

  OutQueue(Limits limits, MemoryBudget& budget, BufferPool& buffers, Counters& counters);
  ~OutQueue();
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;

  // From CONNECT. Until then a packet may have 268,435,460 bytes.
  void SetPeerLimits(std::uint16_t receive_maximum, std::uint32_t maximum_packet_size);

  Outcome Push(Delivery delivery);
  Readiness ReadinessFor(const Delivery& delivery) const;

  // Appends a packet of our own. kResourceExhausted if it is over the client's
  // Maximum Packet Size (MQTT-3.1.2-24); else as EncodePacket. On an error the
  // queue is as it was.
  absl::Status Append(const mqtt::Packet& packet);
  void AppendPubAck(mqtt::PacketId packet_id, mqtt::ReasonCode reason_code);
  void AppendRaw(std::string_view packet);  // Encoded already.

  // PUBACK arrived. False if nothing was sent under that identifier.
  bool Acknowledge(mqtt::PacketId packet_id) { return unacknowledged_.Remove(packet_id).has_value(); }

  // Forgets the messages that wait; packets of our own stay.
  void DropMessages();

  // Puts what is to be written next into `gather`; leaves it empty if there is
  // nothing or a write is under way. The bytes stay until Written().
  void Collect(mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather);
  void Written();

  bool writing() const { return writing_active_; }
  mqtt::TimePoint writing_since() const { return writing_since_; }  // Only if writing().
  bool idle() const { return !writing_active_ && own_.empty(); }    // Messages may still wait.
  // Our own packets alone fill the queue: the client reads nothing.
  bool overflowing() const { return own_.size() > limits_.bytes; }
  std::size_t waiting_messages() const { return open_.size() + held_.size(); }
  std::size_t waiting_bytes() const { return message_bytes_ + own_.size() + writing_bytes_; }

  // PUBACKs that the client cannot have seen yet.
  std::size_t unsent_pub_acks() const { return unsent_pub_acks_; }

 private:
  // The end of a PUBLISH that stays in its shared message.
  struct Reference {
    std::size_t after = 0;  // Offset in writing_ that it follows.
    std::string_view bytes;
    MessageRef message;
  };

  bool HasRoomFor(std::size_t bytes) const;
  bool WindowOpen() const { return unacknowledged_.size() < receive_maximum_ && !unacknowledged_.full(); }
  bool TakeNext(mqtt::TimePoint now, Delivery& next);
  void Forget(const Delivery& delivery);
  void EncodeMessages(mqtt::TimePoint now);
  mqtt::WireBuffer& Own();

  const Limits limits_;
  MemoryBudget& budget_;
  BufferPool& buffers_;
  Counters& counters_;
  std::uint32_t maximum_packet_size_ = 268'435'460;
  std::uint16_t receive_maximum_ = 65'535;

  mqtt::WireBuffer own_;  // Our own packets, encoded.
  Fifo<Delivery> open_;   // Messages as they came.
  Fifo<Delivery> held_;   // QoS 1 that met a closed window; older than all in open_.
  std::size_t message_bytes_ = 0;

  mqtt::WireBuffer writing_;  // The write under way.
  std::vector<Reference> references_;
  std::size_t writing_bytes_ = 0;
  bool writing_active_ = false;
  mqtt::TimePoint writing_since_{};

  struct Nothing {};
  mqtt::InFlight<Nothing> unacknowledged_;  // Only the identifiers: sessions end with the connection.
  std::size_t unsent_pub_acks_ = 0;
};

}  // namespace mqttrpc::broker
