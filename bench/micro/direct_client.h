// A client of a broker in this thread, with nothing between them that costs anything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "load/wire.h"
#include "mqttrpc/broker/broker.h"

namespace bench {

// Its bytes are the broker's OnBytes(), at once; what the broker writes is read in place.
// For the thread that runs the broker's executor.
class DirectClient {
 public:
  DirectClient(mqttrpc::broker::Broker& broker, std::string_view client_id);
  ~DirectClient() { Drop(); }
  DirectClient(const DirectClient&) = delete;
  DirectClient& operator=(const DirectClient&) = delete;

  // Opens a stream. When the executor has run it may be sent on, CONNECT first.
  void Attach();
  void Connect() { Send(connect_); }
  // Hands `packets` over, behind what is due: acknowledgements, and what the broker has not
  // taken before.
  void Send(std::string_view packets);
  void Acknowledge() { Send({}); }
  // Ends the stream without a word.
  void Drop();

  bool connected() const { return connected_; }
  bool subscribed() const { return subscribed_; }               // To the last filter.
  std::uint64_t arrived() const { return arrived_; }            // PUBLISH packets.
  std::uint64_t acknowledged() const { return acknowledged_; }  // PUBACK packets.

 private:
  class Stream;
  void Take(std::string_view bytes);
  void Handle(const Packet& packet);

  mqttrpc::broker::Broker& broker_;
  std::string connect_;
  Stream* stream_ = nullptr;  // The broker owns it. Null: it is over.
  std::string in_;
  std::string out_;
  bool connected_ = false;
  bool subscribed_ = false;
  std::uint64_t arrived_ = 0;
  std::uint64_t acknowledged_ = 0;
};

}  // namespace bench
