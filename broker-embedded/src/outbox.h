// The messages on their way to one client. Part of its session: they outlive a
// connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "counters.h"
#include "fifo.h"
#include "in_flight.h"
#include "memory_budget.h"
#include "mqttrpc/mqtt/clock.h"
#include "packets.h"
#include "pool.h"
#include "shared_message.h"

namespace mqttrpc::broker {

// What the client at the other end takes, as its CONNECT said.
struct PeerLimits {
  PeerLimits() = default;

  std::uint32_t maximum_packet_size = 268'435'460;  // Bytes: the largest there is.
  std::uint16_t receive_maximum = 65'535;           // Unacknowledged QoS 1 and 2 messages (3.1.2.11.3).
  std::uint16_t topic_alias_maximum = 0;            // As we use them: already bounded by our own maximum.
  mqtt::ProtocolVersion version = mqtt::ProtocolVersion::k5;
};

// First in, first out, except that QoS 1 and 2 beyond the client's Receive Maximum
// wait while QoS 0 goes on (MQTT-3.3.4-9, MQTT-3.3.4-10). A message becomes bytes
// only when a write can begin: until then it may expire, and costs a reference. QoS
// 1 and 2 are kept until acknowledged, and sent again, in order, when the client
// comes back (MQTT-4.4.0-1, MQTT-4.6.0-1). While there is nothing it is a few words.
class Outbox {
 public:
  struct Limits {
    Limits(std::size_t messages_in, std::size_t bytes_in, std::size_t in_flight_in = 65'535)
        : messages(messages_in), bytes(bytes_in), in_flight(in_flight_in) {}
    std::size_t messages;   // That wait.
    std::size_t bytes;      // Of all messages here.
    std::size_t in_flight;  // Unacknowledged.
  };

  enum class Outcome {
    kQueued,
    kFull,      // Over this client's limits, or over the broker's.
    kTooLarge,  // Over the client's Maximum Packet Size: counts as sent (MQTT-3.1.2-25).
    kNotKept,   // QoS 0 for a client that is away.
  };

  struct Host;  // What the outboxes of one shard have in common.

  explicit Outbox(Host& host) : host_(host) {}  // `host` outlives it.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // A connection begins: what is unacknowledged is to be sent again, and the send
  // quota begins anew (4.9).
  void Attach(const PeerLimits& peer);
  // It is over. QoS 0 is dropped.
  void Detach();
  bool attached() const { return attached_; }

  // Keeps the oldest messages up to `most` bytes, sent or not.
  void Trim(std::size_t most);

  // `stalled`: the client takes nothing at the moment. What is dropped is counted.
  Outcome Push(Delivery delivery, bool stalled = false);
  // Queues what HasRoomFor() holds for, without asking the broker's memory.
  void Queue(Delivery delivery);

  // The next packet to send.
  struct Outgoing {
    Delivery delivery;  // Without a message: a PUBREL.
    mqtt::PacketId packet_id = 0;
    bool dup = false;
  };
  // False if there is none that may go now. Only while attached.
  bool Next(mqtt::TimePoint now, Outgoing& next);

  // What Next() gave has been written.
  void OnWritten();

  // An acknowledgement has come; see Silent().
  void OnProgress(mqtt::TimePoint now);
  // Whether the client acknowledges nothing, and so takes nothing, since before then.
  bool Silent(mqtt::TimePoint since) const {
    return traffic().on_wire > 0 && !HasWindowFor(1) && traffic().progress_at < since;
  }

  // What an acknowledgement was for.
  enum class Known {
    kYes,
    kAgain,     // The same that came before: no progress.
    kNo,        // No such Packet Identifier.
    kMisplaced  // In use, but this flow has another next step.
  };
  Known OnPubAck(mqtt::PacketId packet_id);
  // `error`: the client refused the message, which ends the flow.
  Known OnPubRec(mqtt::PacketId packet_id, bool error);
  Known OnPubComp(mqtt::PacketId packet_id);

  // Forgets everything, because of `reason`.
  void Clear(DropReason reason);

  // Takes out what share groups may give to another member: all of theirs but QoS 2
  // under way (MQTT-4.8.2-4, MQTT-4.8.2-5). In order.
  std::vector<Delivery> TakeShared();

  // Whether `count` more QoS 1 or 2 messages could go out at once.
  bool HasWindowFor(std::size_t count) const;
  // For so many messages of QoS 1 or 2, the first in a packet of `largest` bytes at most.
  struct Room {
    std::size_t messages = 0;
    std::size_t largest = 0;
  };
  Room room() const;
  std::size_t outstanding() const { return traffic().on_wire + waiting_messages(); }
  std::size_t waiting_messages() const { return traffic().open.size() + traffic().held.size(); }
  std::size_t in_flight() const { return traffic().in_flight.size(); }
  std::size_t bytes() const { return traffic().bytes; }
  bool empty() const { return waiting_messages() == 0 && in_flight() == 0; }
  bool has_work() const { return waiting_messages() > 0 || !traffic().resend.empty(); }  // Next() may find something.
  bool HasRoomFor(const Delivery& delivery) const;                                       // By this client's limits.
  bool HasMemoryFor(const Delivery& delivery, bool stalled) const;                       // By the broker's.

 private:
  // A QoS 1 or 2 message that was sent at least once.
  struct Sent {
    enum class Await : std::uint8_t { kPubAck, kPubRec, kPubComp };
    Sent(Delivery delivery_in, Await await_in) : delivery(std::move(delivery_in)), await(await_in) {}
    Delivery delivery;  // Its message is gone once PUBREC has come.
    Await await;
    bool on_wire = true;  // Counts against the Receive Maximum.
  };

  static constexpr std::size_t kCostOfFlow = mqtt::InFlight<Sent>::kBytesPerPlace;

  // Keeps room for what a turn may bring: only the busy have one.
  using Deliveries = mqtt::Fifo<Delivery, std::size_t{16} * 1024>;

  // All of it, while there is any.
  struct Traffic {
    bool idle() const;
    void Rest(bool roomy);  // See Pool.
    std::size_t FlowBytes() const { return in_flight.places() * kCostOfFlow; }

    Deliveries open;  // Messages as they came.
    Deliveries held;  // QoS 1 and 2 that met a closed window; older than all in `open`.
    mqtt::InFlight<Sent> in_flight;
    mqtt::Fifo<mqtt::PacketId> resend;  // Of an earlier connection, not yet sent on this one.
    mqtt::TimePoint progress_at{};
    std::size_t charged_flows = 0;    // Of in_flight.places().
    std::size_t on_wire = 0;          // Sent on this connection and not acknowledged.
    std::size_t bytes = 0;            // Of all messages above.
    std::size_t bytes_under_way = 0;  // Of QoS 0 that is being written.
    std::size_t shared = 0;           // How many of them have a group.
  };

  const Traffic& traffic() const;
  Traffic& Busy();
  void Settle();

  template <typename Keeps>
  void Filter(Keeps&& keeps);
  // The same whatever version the client speaks next time.
  static std::size_t SizeOf(const Delivery& delivery) { return PacketBytes(delivery, mqtt::ProtocolVersion::k5); }
  Outcome Refuse(Outcome outcome, DropReason reason);
  bool NextResend(mqtt::TimePoint now, Outgoing& next);
  bool TakeWaiting(mqtt::TimePoint now, Delivery& next);
  void Release(const Delivery& delivery);
  void ReleaseMessage(Sent& sent);
  void ChargeFlows();
  Sent* Find(mqtt::PacketId packet_id);
  void End(mqtt::PacketId packet_id);
  bool TooLarge(const Delivery& delivery) const;

  Host& host_;
  std::unique_ptr<Traffic> traffic_;  // Null: nothing is here.
  PeerLimits peer_;
  mqtt::PacketId next_packet_id_ = 1;  // While there is no traffic_.
  bool attached_ = false;
};

struct Outbox::Host {
  Host(const Limits& limits_in, MemoryBudget& budget_in, Counters& counters_in)
      : limits(limits_in), budget(budget_in), counters(counters_in) {}

  const Limits limits;  // Of each.
  MemoryBudget& budget;
  Counters& counters;
  const Traffic none;
  Pool<Traffic> pool;
};

inline const Outbox::Traffic& Outbox::traffic() const { return traffic_ != nullptr ? *traffic_ : host_.none; }

}  // namespace mqttrpc::broker
