#include "server_connection.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::broker {
namespace {

using mqtt::LogLevel;
using mqtt::ReasonCode;

// How long last words may take to be written.
constexpr std::chrono::seconds kFarewell{5};

}  // namespace

std::string Quoted(std::string_view text) {
  constexpr std::size_t kMaximum = 128;  // A client does not decide how much is logged.
  const bool cut = text.size() > kMaximum;
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(mqtt::ToAbsl(text.substr(0, kMaximum))), cut ? "...\"" : "\"");
}

ServerConnection::ServerConnection(BrokerCore& core, Waker& waker, std::string peer, mqtt::TimePoint now)
    : core_(core),
      waker_(waker),
      peer_(std::move(peer)),
      frames_(core.options.maximum_connect_packet_size),
      out_(OutQueue::Limits(core.options.maximum_queued_messages, core.options.maximum_queued_bytes), core.budget,
           core.buffers, core.counters),
      last_packet_at_(now) {}

ServerConnection::~ServerConnection() {
  // Finish() has left the broker, unless nobody closed us: then nobody is told either.
  if (state_ != State::kConnected) return;
  core_.router.subscriptions().RemoveAll(*this);
  core_.clients.erase(client_id_);
}

void ServerConnection::OnBytes(std::span<const std::byte> bytes, mqtt::TimePoint now) {
  if (finished()) return;
  frames_.Feed(bytes);
  while (!finished()) {
    const auto frame = frames_.Next();
    if (!frame.ok()) {
      Refuse(frame.status(), now);
      break;
    }
    if (!frame->has_value()) break;
    HandleFrame(**frame, now);
  }
  if (finished()) {
    frames_ = mqtt::FrameBuffer(0);
    return;
  }
  frames_.Keep();
  if (!finished() && out_.overflowing()) {
    Disconnect(ReasonCode::kQuotaExceeded, "too many acknowledgements wait to be read", now);
  }
}

void ServerConnection::HandleFrame(const mqtt::Frame& frame, mqtt::TimePoint now) {
  last_packet_at_ = now;
  const absl::Status status = [&] {
    if (state_ == State::kAwaitingConnect) return HandleFirst(frame, now);
    auto packet = mqtt::DecodePacket(frame, mqtt::Sender::kClient);
    return packet.ok() ? HandlePacket(*packet, now) : packet.status();
  }();
  if (!status.ok()) Refuse(status, now);
}

// MQTT-3.1.0-1: the first packet is a CONNECT.
absl::Status ServerConnection::HandleFirst(const mqtt::Frame& frame, mqtt::TimePoint now) {
  if (frame.first_byte >> 4 != static_cast<int>(mqtt::PacketType::kConnect)) {
    return mqtt::StatusFrom(ReasonCode::kProtocolError, "the first packet is not a CONNECT");
  }
  if (IsOlderConnect(frame)) {
    out_.AppendRaw(kOlderVersionRefusal);  // MQTT-3.1.2-2
    Finish(mqtt::StatusFrom(ReasonCode::kUnsupportedProtocolVersion, "client speaks MQTT 3"), now);
    return absl::OkStatus();
  }
  const auto packet = mqtt::DecodePacket(frame, mqtt::Sender::kClient);
  if (!packet.ok()) return packet.status();
  return Accept(std::get<mqtt::Connect>(*packet), now);
}

absl::Status ServerConnection::HandlePacket(const mqtt::Packet& packet, mqtt::TimePoint now) {
  return std::visit([&](const auto& each) { return OnPacket(each, now); }, packet);
}

template <typename Other>
absl::Status ServerConnection::OnPacket(const Other& packet, mqtt::TimePoint) {
  return mqtt::StatusFrom(ReasonCode::kProtocolError,
                          absl::StrCat("unexpected ", mqtt::ToAbsl(mqtt::NameOf(mqtt::TypeOf(packet)))));
}

absl::Status ServerConnection::OnPacket(const mqtt::Connect&, mqtt::TimePoint) {
  return mqtt::StatusFrom(ReasonCode::kProtocolError, "a second CONNECT");  // MQTT-3.1.0-2
}

absl::Status ServerConnection::Accept(const mqtt::Connect& connect, mqtt::TimePoint now) {
  terms_ = TermsOf(connect, core_.options);
  out_.SetPeerLimits(terms_.receive_maximum, terms_.maximum_packet_size);  // They hold for a refusal too.
  if (absl::Status status = CheckConnect(connect); !status.ok()) return status;
  const bool assigned = connect.client_id.empty();
  client_id_ = assigned ? NewClientId(*core_.options.environment.random) : std::string(connect.client_id);
  while (assigned && core_.clients.contains(client_id_)) client_id_ = NewClientId(*core_.options.environment.random);
  if (core_.clients.size() >= core_.options.maximum_connections && !core_.clients.contains(client_id_)) {
    return mqtt::StatusFrom(ReasonCode::kQuotaExceeded,
                            absl::StrCat("this broker takes ", core_.options.maximum_connections, " connections"));
  }

  const mqtt::Properties properties = ConnAckProperties(connect, core_.options, terms_, client_id_, assigned);
  mqtt::ConnAck ack;  // Session Present 0: we keep none (MQTT-3.2.2-2, MQTT-3.2.2-3).
  ack.properties = properties;
  if (absl::Status status = out_.Append(ack); !status.ok()) {  // MQTT-3.1.4-5
    return mqtt::StatusFrom(ReasonCode::kPacketTooLarge, mqtt::ToStd(status.message()));
  }
  TakeOver(now);
  state_ = State::kConnected;
  frames_.set_maximum_packet_size(core_.options.maximum_packet_size);
  if (connect.will) KeepWill(*connect.will);
  core_.clients[client_id_] = this;
  core_.counters.connections.Set(core_.clients.size());
  core_.Log(LogLevel::kInfo, "event=connected peer=", peer_, " client_id=", Quoted(client_id_),
            " keep_alive=", terms_.keep_alive);
  waker_.Wake();
  return absl::OkStatus();
}

// MQTT-3.1.4-3
void ServerConnection::TakeOver(mqtt::TimePoint now) {
  const auto other = core_.clients.find(client_id_);
  if (other == core_.clients.end()) return;
  other->second->Disconnect(ReasonCode::kSessionTakenOver, "another connection uses this client id", now);
}

void ServerConnection::Refuse(const absl::Status& why, mqtt::TimePoint now) {
  if (finished()) return;
  const ReasonCode code = mqtt::ReasonCodeOr(why, ReasonCode::kUnspecifiedError);
  if (state_ == State::kConnected) return Disconnect(code, mqtt::ToStd(why.message()), now);
  core_.counters.connections_refused.Add();
  mqtt::ConnAck ack;
  ack.reason_code = ForConnAck(code);
  AppendWithReason(ack, mqtt::ToStd(why.message()));
  Finish(why, now);
}

void ServerConnection::Disconnect(ReasonCode code, std::string_view reason, mqtt::TimePoint now) {
  if (finished()) return;
  if (state_ == State::kConnected) {  // MQTT-3.14.0-1
    mqtt::Disconnect disconnect;
    disconnect.reason_code = code;
    AppendWithReason(disconnect, reason);
  }
  Finish(mqtt::StatusFrom(code, reason), now);
}

// Leaves the broker: no one reaches this client any more, its will goes out, and
// what is in out() are its last packets.
void ServerConnection::Finish(const absl::Status& why, mqtt::TimePoint now) {
  const bool was_connected = state_ == State::kConnected;
  state_ = State::kFinished;
  last_packet_at_ = now;
  out_.DropMessages();
  waker_.Wake();
  if (!was_connected) {
    core_.Log(LogLevel::kInfo, "event=refused peer=", peer_, " reason=", Quoted(mqtt::ToStd(why.message())));
    return;
  }
  core_.router.subscriptions().RemoveAll(*this);
  core_.clients.erase(client_id_);
  core_.counters.connections.Set(core_.clients.size());
  core_.counters.subscriptions.Set(core_.router.subscriptions().size());
  core_.Log(LogLevel::kInfo, "event=disconnected peer=", peer_, " client_id=", Quoted(client_id_),
            " reason=", Quoted(why.ok() ? "normal" : mqtt::ToStd(why.message())));
  PublishWill(now);
}

void ServerConnection::OnStreamEnd(const absl::Status& why, mqtt::TimePoint now) {
  abandoned_ = true;
  if (finished()) return waker_.Wake();
  if (state_ == State::kAwaitingConnect) core_.counters.connections_refused.Add();
  Finish(why.ok() ? absl::UnavailableError("closed without DISCONNECT") : why, now);
}

mqtt::TimePoint ServerConnection::deadline() const {
  if (abandoned_) return mqtt::kNever;
  switch (state_) {
    case State::kAwaitingConnect: return last_packet_at_ + core_.options.connect_timeout;
    case State::kFinished: return last_packet_at_ + kFarewell;
    case State::kConnected: break;
  }
  if (terms_.keep_alive == 0 || reading_paused_) return WriteDeadline();
  const mqtt::TimePoint silent = last_packet_at_ + std::chrono::milliseconds(1500) * terms_.keep_alive;
  return std::min(silent, WriteDeadline());  // MQTT-3.1.2-22
}

// A client that takes nothing holds memory that others need, however alive it sounds.
mqtt::TimePoint ServerConnection::WriteDeadline() const {
  return out_.writing() ? out_.writing_since() + core_.options.write_timeout : mqtt::kNever;
}

void ServerConnection::OnReadingResumed(mqtt::TimePoint now) {
  reading_paused_ = false;
  last_packet_at_ = now;
}

void ServerConnection::OnDeadline(mqtt::TimePoint now) {
  if (now < deadline()) return;
  switch (state_) {
    case State::kAwaitingConnect:
      core_.counters.connections_refused.Add();
      Finish(absl::DeadlineExceededError("no CONNECT in time"), now);
      break;
    case State::kConnected:
      if (now >= WriteDeadline()) {
        Disconnect(ReasonCode::kQuotaExceeded, "took none of what was sent for too long", now);
        break;
      }
      Disconnect(ReasonCode::kKeepAliveTimeout,
                 absl::StrCat("silent for 1.5 times the keep alive of ", terms_.keep_alive, " s"), now);
      break;
    case State::kFinished:
      abandoned_ = true;
      waker_.Wake();
      break;
  }
}

OutQueue::Outcome ServerConnection::Deliver(Delivery delivery) {
  const OutQueue::Outcome outcome = out_.Push(std::move(delivery));
  if (outcome == OutQueue::Outcome::kQueued) {
    if (out_.waiting_messages() == 1) dropping_ = false;
    waker_.Wake();
  } else if (outcome == OutQueue::Outcome::kFull && !dropping_) {
    dropping_ = true;  // One line for as long as it lasts.
    core_.Log(LogLevel::kWarning, "event=dropping_messages client_id=", Quoted(client_id_),
              " waiting_messages=", out_.waiting_messages(), " waiting_bytes=", out_.waiting_bytes());
  }
  return outcome;
}

OutQueue::Readiness ServerConnection::ReadinessFor(const Delivery& delivery) const {
  return out_.ReadinessFor(delivery);
}

}  // namespace mqttrpc::broker
