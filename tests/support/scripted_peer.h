// The other end of a memory transport, which a test plays by hand.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <asio/post.hpp>

#include "frame_buffer.h"
#include "mqttrpc/mqtt/transport.h"
#include "packets.h"

namespace mqttrpc::test {

// Reads whole packets and keeps them until the test asks; sends what it is
// told. Plays the server, or a client if `role` says so. Nothing moves before
// the event loop runs.
class ScriptedPeer final : private mqtt::Transport::Handler {
 public:
  explicit ScriptedPeer(std::unique_ptr<mqtt::Transport> transport, mqtt::Sender role = mqtt::Sender::kServer)
      : role_(role), transport_(std::move(transport)) {
    transport_->Start(*this);
  }

  // Takes the oldest packet, which must be a T; it lives as long as the peer.
  template <typename T>
  const T& Expect() {
    static const T kNone{};
    if (packets_.empty()) {
      ADD_FAILURE() << "no packet came";
      return kNone;
    }
    taken_.push_back(std::move(packets_.front()));
    packets_.pop_front();
    if (const T* packet = std::get_if<T>(&taken_.back()->packet)) return *packet;
    ADD_FAILURE() << "another packet came: " << mqtt::NameOf(TypeOf(taken_.back()->packet));
    return kNone;
  }

  // Takes the oldest packet as bytes: its first, and what follows Remaining Length.
  std::string ExpectBytes() {
    if (packets_.empty()) {
      ADD_FAILURE() << "no packet came";
      return {};
    }
    std::string bytes(1, static_cast<char>(packets_.front()->first_byte));
    bytes += packets_.front()->body;
    packets_.pop_front();
    return bytes;
  }

  // The types of what has come and was not taken, e.g. "PUBLISH PUBLISH".
  std::string Names() const {
    std::string names;
    for (const auto& each : packets_) {
      if (!names.empty()) names += ' ';
      names += NameOf(TypeOf(each->packet));
    }
    return names;
  }

  void Send(const mqtt::Packet& packet) {
    std::string bytes;
    const absl::Status status = EncodePacket(packet, role_, bytes);
    ASSERT_TRUE(status.ok()) << status;
    SendBytes(bytes);
  }
  void SendBytes(std::string_view bytes) {
    outbox_ += bytes;
    Flush();
  }

  void PauseReading() { transport_->PauseReading(); }
  void ResumeReading() { transport_->ResumeReading(); }
  void Close() {
    transport_->Close();
    transport_ = nullptr;
  }
  void Drop() { transport_ = nullptr; }

  std::size_t bytes_received() const { return bytes_received_; }
  // How often bytes came, i.e. how many writes the other side made.
  int reads() const { return reads_; }
  // How the other side ended the stream, if it did.
  const std::optional<absl::Status>& closed() const { return closed_; }

 private:
  struct Owned {
    std::uint8_t first_byte = 0;
    std::string body;
    mqtt::Packet packet;  // Borrows from `body`.
  };

  void OnBytes(std::span<const std::byte> bytes) override {
    ++reads_;
    bytes_received_ += bytes.size();
    frames_.Feed(bytes);
    for (;;) {
      const auto frame = frames_.Next();
      ASSERT_TRUE(frame.ok()) << frame.status();
      if (!frame->has_value()) break;
      auto owned = std::make_unique<Owned>();
      owned->first_byte = (*frame)->first_byte;
      owned->body = mqtt::AsText((*frame)->body);
      mqtt::Frame copy = **frame;
      copy.body = mqtt::AsBytes(owned->body);
      auto packet = DecodePacket(copy, role_ == mqtt::Sender::kServer ? mqtt::Sender::kClient : mqtt::Sender::kServer);
      ASSERT_TRUE(packet.ok()) << packet.status();
      owned->packet = *std::move(packet);
      packets_.push_back(std::move(owned));
    }
    frames_.Keep();
  }
  void OnWritten() override {
    writing_.clear();
    Flush();
  }
  void OnClosed(absl::Status why) override { closed_ = std::move(why); }

  void Flush() {
    if (transport_ == nullptr || !writing_.empty() || outbox_.empty()) return;
    writing_.swap(outbox_);
    const std::span<const std::byte> piece = mqtt::AsBytes(writing_);
    if (transport_->Write(std::span(&piece, 1))) writing_.clear();
  }

  const mqtt::Sender role_;
  std::unique_ptr<mqtt::Transport> transport_;
  mqtt::FrameBuffer frames_{64 * 1024 * 1024};
  std::deque<std::unique_ptr<Owned>> packets_;
  std::vector<std::unique_ptr<Owned>> taken_;
  std::string outbox_, writing_;
  std::size_t bytes_received_ = 0;
  int reads_ = 0;
  std::optional<absl::Status> closed_;
};

// Dials the test itself: each connection ends in a ScriptedPeer.
class ScriptedConnector final : public mqtt::Connector {
 public:
  explicit ScriptedConnector(asio::any_io_executor peer_executor) : peer_executor_(std::move(peer_executor)) {}

  enum class Answer { kAccept, kRefuse, kSilence };
  void set_answer(Answer answer) { answer_ = answer; }
  int dialled() const { return dialled_; }
  const std::vector<std::string>& hosts() const { return hosts_; }  // As dialled, without ports.

  // The oldest connection that was not taken; null if there is none.
  std::unique_ptr<ScriptedPeer> Accept() {
    if (accepted_.empty()) return nullptr;
    std::unique_ptr<ScriptedPeer> peer = std::move(accepted_.front());
    accepted_.pop_front();
    return peer;
  }

  std::unique_ptr<Attempt> Connect(const mqtt::Endpoint& endpoint, asio::any_io_executor executor, Done done) override {
    ++dialled_;
    hosts_.push_back(endpoint.host);
    auto pending = std::make_shared<Done>(std::move(done));
    if (answer_ == Answer::kRefuse) {
      asio::post(executor, [pending] {
        if (*pending) std::exchange(*pending, nullptr)(absl::UnavailableError("refused by the test"));
      });
    } else if (answer_ == Answer::kAccept) {
      auto [near, far] = mqtt::MemoryTransportPair(executor, peer_executor_);
      accepted_.push_back(std::make_unique<ScriptedPeer>(std::move(far)));
      asio::post(executor, [pending, transport = std::move(near)]() mutable {
        if (*pending) std::exchange(*pending, nullptr)(std::move(transport));
      });
    }
    return std::make_unique<Dialled>(std::move(pending));
  }

 private:
  class Dialled final : public Attempt {
   public:
    explicit Dialled(std::shared_ptr<Done> done) : done_(std::move(done)) {}
    ~Dialled() override { *done_ = nullptr; }

   private:
    const std::shared_ptr<Done> done_;
  };

  const asio::any_io_executor peer_executor_;
  Answer answer_ = Answer::kAccept;
  int dialled_ = 0;
  std::vector<std::string> hosts_;
  std::deque<std::unique_ptr<ScriptedPeer>> accepted_;
};

}  // namespace mqttrpc::test
