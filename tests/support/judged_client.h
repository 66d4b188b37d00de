// A client that says any bytes and holds what it hears against the protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "frame_buffer.h"
#include "mqttrpc/mqtt/transport.h"
#include "packets.h"

namespace mqttrpc::test {

// What a server may never do, whatever it is told: ill-formed packets, another first
// packet than CONNACK or AUTH, anything after its DISCONNECT or refusal, packets or
// Topic Aliases beyond what CONNECT allows, Packet Identifiers twice under way, more
// under way than Receive Maximum. One thread, that of the transport.
class JudgedClient final : public mqtt::Transport::Handler {
 public:
  explicit JudgedClient(std::unique_ptr<mqtt::Transport> transport);
  JudgedClient(const JudgedClient&) = delete;
  JudgedClient& operator=(const JudgedClient&) = delete;

  void Say(std::string_view bytes);
  void SetFrozen(bool frozen);  // It reads nothing meanwhile.

  // Of PUBLISH packets, since the beginning.
  bool HasHeard(std::string_view payload) const { return payloads_.contains(std::string(payload)); }
  bool HasHeard(mqtt::PacketType type) const { return types_.contains(type); }
  bool closed() const { return closed_; }

  // The first thing that the server did wrong; empty if nothing.
  const std::string& problem() const { return problem_; }

  // mqtt::Transport::Handler:
  void OnBytes(std::span<const std::byte> bytes) override;
  void OnWritten() override;
  void OnClosed(absl::Status why) override;

 private:
  void NoteSaid(const mqtt::Frame& frame);
  void Judge(const mqtt::Frame& frame);
  void JudgePublish(const mqtt::Publish& publish);
  void Forget(mqtt::PacketId packet_id);
  void Complain(std::string problem);

  std::unique_ptr<mqtt::Transport> transport_;
  std::string unsent_;
  std::string writing_;
  bool frozen_ = false;
  bool closed_ = false;
  std::string problem_;

  // What it has said.
  mqtt::FrameBuffer said_;
  bool said_anything_ = false;
  bool said_nonsense_ = false;  // The rest of it cannot be cut into packets.
  std::optional<mqtt::ProtocolVersion> version_;
  std::uint32_t maximum_packet_size_;
  std::uint16_t receive_maximum_ = 65'535;
  std::uint16_t topic_alias_maximum_ = 0;

  // What it has heard.
  mqtt::FrameBuffer heard_;
  bool greeted_ = false;
  bool over_ = false;  // After a DISCONNECT or a refusal.
  std::set<std::uint16_t> aliases_;
  std::set<mqtt::PacketId> under_way_;
  bool acknowledged_ahead_ = false;  // What it had not heard: under_way_ says nothing then.
  std::set<std::string> payloads_;
  std::set<mqtt::PacketType> types_;
};

}  // namespace mqttrpc::test
