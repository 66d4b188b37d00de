// What has arrived on a connection and was not handled yet.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <absl/status/status.h>

#include "frame_buffer.h"
#include "unfinished_packets.h"

namespace mqttrpc::broker {

class ServerConnection;

// Lent to a connection from a read until all of it is handled: see Pool.
struct Incoming final : UnfinishedPackets::Packet {
  void GiveUp(mqtt::TimePoint now) override;
  void Rest(bool /*roomy*/) {}  // Between packets a FrameBuffer has no memory.

  ServerConnection* connection = nullptr;
  mqtt::FrameBuffer frames{0};
  std::size_t last_read = 0;               // Bytes.
  std::optional<absl::Status> stream_end;  // Why there will be no more, while there is some left.

  // The shard that this and what follows is for; `connect` is the CONNECT that said so.
  std::optional<std::size_t> moves_to;
  std::string connect;
};

}  // namespace mqttrpc::broker
