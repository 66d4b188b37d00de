#include "micro/direct_client.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "mqttrpc/mqtt/transport.h"

namespace bench {

// The broker's end.
class DirectClient::Stream final : public mqttrpc::mqtt::Transport {
 public:
  explicit Stream(DirectClient& client) : client_(&client) { client.stream_ = this; }
  ~Stream() override { Leave(); }

  void Start(Handler& handler) override { handler_ = &handler; }
  bool Write(std::span<const std::span<const std::byte>> gather) override {
    if (client_ == nullptr) return true;
    for (const auto& piece : gather) {
      client_->Take({reinterpret_cast<const char*>(piece.data()), piece.size()});
    }
    return true;
  }
  void PauseReading() override { paused_ = true; }
  void ResumeReading() override { paused_ = false; }
  void Close() override { Leave(); }
  std::string peer() const override { return "direct"; }

  // As reads of a socket would bring them. Returns how many the broker has taken.
  std::size_t Hand(std::string& bytes) {
    std::size_t taken = 0;
    while (!paused_ && taken < bytes.size()) {
      const auto offered =
          std::as_writable_bytes(std::span(bytes).subspan(taken).first(std::min(bytes.size() - taken, kBytesPerRead)));
      std::span<std::byte> into = handler_->BufferFor(offered);
      into = into.first(std::min(into.size(), bytes.size() - taken));
      if (into.data() != offered.data()) std::memcpy(into.data(), bytes.data() + taken, into.size());
      taken += into.size();
      handler_->OnBytes(into);
    }
    return taken;
  }
  void End() {
    Leave();
    if (handler_ != nullptr) handler_->OnClosed(absl::OkStatus());  // Else the broker has not got it yet.
  }

 private:
  void Leave() {
    if (client_ != nullptr) client_->stream_ = nullptr;
    client_ = nullptr;
  }

  static constexpr std::size_t kBytesPerRead = std::size_t{64} * 1024;

  DirectClient* client_;
  Handler* handler_ = nullptr;
  bool paused_ = false;
};

DirectClient::DirectClient(mqttrpc::broker::Broker& broker, std::string_view client_id) : broker_(broker) {
  AppendConnect(connect_, client_id);
}

void DirectClient::Attach() {
  Drop();
  connected_ = false;
  in_.clear();
  out_.clear();
  broker_.Attach(std::make_unique<Stream>(*this));
}

void DirectClient::Send(std::string_view packets) {
  out_.append(packets);
  if (stream_ == nullptr || out_.empty()) return;
  out_.erase(0, stream_->Hand(out_));
}

void DirectClient::Drop() {
  if (stream_ != nullptr) stream_->End();
}

void DirectClient::Take(std::string_view bytes) {
  in_.append(bytes);
  std::string_view rest = in_;
  for (std::size_t size = PacketSize(rest); size != 0 && size <= rest.size(); size = PacketSize(rest)) {
    Handle(ReadPacket(rest.substr(0, size)));
    rest.remove_prefix(size);
  }
  in_.erase(0, in_.size() - rest.size());
}

void DirectClient::Handle(const Packet& packet) {
  switch (packet.type()) {
    case Type::kConnAck: connected_ = true; break;
    case Type::kSubAck: subscribed_ = true; break;
    case Type::kPubAck: ++acknowledged_; break;
    case Type::kPublish: {
      ++arrived_;
      const Arrival arrival = ReadPublish(packet);
      if (arrival.qos == 1) AppendAcknowledgement(out_, Type::kPubAck, arrival.packet_id);
      break;
    }
    default: break;
  }
}

}  // namespace bench
