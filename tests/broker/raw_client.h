// A client that says and hears single packets, right or wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <gtest/gtest.h>
#include <asio/any_io_executor.hpp>

#include "mqttrpc/broker/broker.h"
#include "mqttrpc/mqtt/transport.h"
#include "packets.h"

namespace mqttrpc::test {

// One packet as it came; decoded packets point into it.
struct RawPacket {
  explicit RawPacket(std::string bytes_in) : bytes(std::move(bytes_in)) {}

  mqtt::Frame frame() const {
    const std::size_t header = bytes.size() < 130 ? 2 : bytes.size() < 16'387 ? 3 : bytes.size() < 2'097'156 ? 4 : 5;
    return mqtt::Frame{static_cast<std::uint8_t>(bytes[0]), mqtt::AsBytes(std::string_view(bytes).substr(header))};
  }

  // Fails the test and gives an empty packet if it is another or ill-formed.
  template <typename T>
  T As() const {
    const auto packet = mqtt::DecodePacket(frame(), mqtt::Sender::kServer);
    if (!packet.ok()) {
      ADD_FAILURE() << packet.status();
      return T();
    }
    if (const T* wanted = std::get_if<T>(&*packet)) return *wanted;
    ADD_FAILURE() << "unexpected " << mqtt::NameOf(mqtt::TypeOf(*packet));
    return T();
  }

  std::string bytes;
};

class RawClient final : public mqtt::Transport::Handler {
 public:
  // Attached to `broker` through a pipe in memory. Both run on its executor.
  explicit RawClient(broker::Broker& broker) {
    auto [ours, brokers] = mqtt::MemoryTransportPair(broker.executor(), broker.executor());
    broker.Attach(std::move(brokers));
    Start(std::move(ours));
  }
  // The other end of `transport` is attached already.
  explicit RawClient(std::unique_ptr<mqtt::Transport> transport) { Start(std::move(transport)); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void Send(const mqtt::Packet& packet) {
    std::string bytes;
    const absl::Status status = mqtt::EncodePacket(packet, mqtt::Sender::kClient, bytes);
    ASSERT_TRUE(status.ok()) << status;
    SendBytes(bytes);
  }

  void SendBytes(std::string_view bytes) {
    unsent_.append(bytes);
    WriteNext();
  }

  // Does not read any more, as a frozen process would not.
  void Freeze() { transport_->PauseReading(); }
  void Thaw() { transport_->ResumeReading(); }

  // Ends the stream without a DISCONNECT.
  void Drop() { transport_ = nullptr; }

  bool closed() const { return closed_; }
  std::size_t waiting() const { return packets_.size(); }

  // The next packet, in order of arrival. Kept until the client's end.
  const RawPacket* NextRaw() {
    if (packets_.empty()) return nullptr;
    taken_.push_back(std::move(packets_.front()));
    packets_.pop_front();
    return &taken_.back();
  }

  template <typename T>
  T Next() {
    const RawPacket* packet = NextRaw();
    if (packet != nullptr) return packet->As<T>();
    ADD_FAILURE() << "nothing has arrived" << (closed_ ? "; the stream is closed" : "");
    return T();
  }

  // mqtt::Transport::Handler:
  void OnBytes(std::span<const std::byte> bytes) override {
    tail_.append(mqtt::AsText(bytes));
    while (const std::size_t size = FirstPacketSize()) {
      packets_.emplace_back(tail_.substr(0, size));
      tail_.erase(0, size);
    }
  }
  void OnWritten() override {
    writing_.clear();
    WriteNext();
  }
  void OnClosed(absl::Status) override { closed_ = true; }

 private:
  void Start(std::unique_ptr<mqtt::Transport> transport) {
    transport_ = std::move(transport);
    transport_->Start(*this);
  }

  // 0 if it has not arrived whole.
  std::size_t FirstPacketSize() const {
    std::size_t length = 0;
    for (std::size_t i = 1; i < tail_.size() && i <= 4; ++i) {
      length |= static_cast<std::size_t>(tail_[i] & 0x7F) << (7 * (i - 1));
      if ((tail_[i] & 0x80) != 0) continue;
      return tail_.size() >= 1 + i + length ? 1 + i + length : 0;
    }
    return 0;
  }

  void WriteNext() {
    while (writing_.empty() && !unsent_.empty() && !closed_) {
      // In pieces, as a socket would: a broker that stops reading must be able to.
      writing_ = unsent_.substr(0, kBytesPerWrite);
      unsent_.erase(0, kBytesPerWrite);
      const auto piece = mqtt::AsBytes(writing_);
      if (transport_->Write(std::span(&piece, 1))) writing_.clear();
    }
  }

  static constexpr std::size_t kBytesPerWrite = 64 * 1024;

  std::unique_ptr<mqtt::Transport> transport_;
  std::string unsent_;
  std::string writing_;
  std::string tail_;
  std::deque<RawPacket> packets_;
  std::deque<RawPacket> taken_;
  bool closed_ = false;
};

}  // namespace mqttrpc::test
