// A TCP client that blocks, for tests against a real socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/time.h>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

#include "mqttrpc/mqtt/endpoint.h"
#include "packets.h"

namespace mqttrpc::test {

// Speaks single packets. What takes longer than 20 s counts as never.
class TcpPeer {
 public:
  // `url` as the broker told it.
  explicit TcpPeer(std::string_view url) : socket_(io_) {
    const auto endpoint = mqtt::ParseEndpoint(url);
    if (!endpoint.ok()) return;
    asio::error_code error;
    socket_.connect({asio::ip::make_address(endpoint->host, error), endpoint->port}, error);
    connected_ = !error;
    timeval patience{};
    patience.tv_sec = 20;
    setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket_.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }

  bool connected() const { return connected_; }

  // False if the stream is gone.
  bool Send(std::string_view bytes) {
    asio::error_code error;
    asio::write(socket_, asio::buffer(bytes), error);
    return !error;
  }
  bool Send(const mqtt::Packet& packet) {
    std::string bytes;
    return mqtt::EncodePacket(packet, mqtt::Sender::kClient, bytes).ok() && Send(bytes);
  }

  // The next packet whole, fixed header included; empty if the stream is over.
  std::string Receive() {
    std::string packet(2, '\0');
    if (!Read(packet, 0)) return {};
    std::size_t length = packet[1] & 0x7F;
    for (int shift = 7; (packet.back() & 0x80) != 0; shift += 7) {
      packet.push_back('\0');
      if (!Read(packet, packet.size() - 1)) return {};
      length |= static_cast<std::size_t>(packet.back() & 0x7F) << shift;
    }
    const std::size_t header = packet.size();
    packet.resize(header + length);
    return Read(packet, header) ? packet : std::string();
  }

  // The Reason Code of a DISCONNECT or CONNACK without or with properties.
  static std::optional<mqtt::ReasonCode> ReasonOf(std::string_view packet) {
    const std::size_t at = !packet.empty() && packet[0] == '\x20' ? 3 : 2;
    if (packet.size() <= at) return std::nullopt;
    return static_cast<mqtt::ReasonCode>(packet[at]);
  }

  // Whether CONNECT was accepted.
  bool Connect(std::string_view client_id) {
    mqtt::Connect connect;
    connect.client_id = client_id;
    connect.clean_start = true;
    return Send(connect) && ReasonOf(Receive()) == mqtt::ReasonCode::kSuccess;
  }

 private:
  bool Read(std::string& into, std::size_t from) {
    for (std::size_t done = from; done < into.size();) {
      const ssize_t size = ::recv(socket_.native_handle(), into.data() + done, into.size() - done, 0);
      if (size <= 0) return false;
      done += static_cast<std::size_t>(size);
    }
    return true;
  }

  asio::io_context io_;
  asio::ip::tcp::socket socket_;
  bool connected_ = false;
};

}  // namespace mqttrpc::test
