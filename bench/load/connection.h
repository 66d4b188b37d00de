// One client's connection to a broker, as cheap as it can be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "load/loop.h"
#include "load/wire.h"

namespace bench {

// Belongs to its loop's thread. Acknowledges what it gets. Throws Void from whatever
// is running when the broker refuses something or ends the connection.
class Connection {
 public:
  class Handler {
   public:
    virtual void OnPublish(Connection&, const Arrival&) {}
    virtual void OnAcknowledged(Connection&) {}  // A message that we sent with QoS 1 or 2 is done.

   protected:
    ~Handler() = default;
  };

  // The most unacknowledged messages: both brokers take 1024.
  static constexpr std::size_t kMaximumUnacknowledged = 1000;

  // Connects to a port of loopback and sends CONNECT. `number` is for the handler.
  Connection(Loop& loop, std::uint16_t port, std::string_view client_id, Handler& handler, std::size_t number = 0);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::size_t number() const { return number_; }
  bool connected() const { return connected_; }           // Whether CONNACK has come.
  std::size_t subscriptions() const { return granted_; }  // How many filters SUBACKs have granted.
  std::size_t unacknowledged() const { return unacknowledged_; }
  bool MayPublish() const { return unacknowledged_ < kMaximumUnacknowledged; }

  void Subscribe(std::span<const std::string> topic_filters, std::uint8_t qos);
  void Subscribe(const std::string& topic_filter, std::uint8_t qos) { Subscribe(std::span(&topic_filter, 1), qos); }
  void Publish(const PublishFields& publish);

  // For the loop only.
  void ReadSome();
  void WriteSome();

 private:
  void Changed();  // There is something in out_.
  void Take(std::string_view bytes);
  void Cut(std::string_view bytes);
  void Handle(const Packet& packet);
  void HandlePublish(const Packet& packet);
  void HandleSubAck(std::string_view body);

  Loop& loop_;
  Handler& handler_;
  const std::size_t number_;
  int file_;
  bool connected_ = false;
  std::size_t granted_ = 0;
  std::size_t unacknowledged_ = 0;
  std::uint16_t last_packet_id_ = 0;

  std::string out_;
  std::size_t written_ = 0;  // Of out_.
  bool dirty_ = false;       // The loop knows of out_.
  bool blocked_ = false;     // The system takes no more; epoll says when it does.

  std::string in_;              // The beginning of an unfinished packet.
  std::size_t rest_bytes_ = 0;  // How much of that packet is still to come, and will not be looked at.
};

}  // namespace bench
