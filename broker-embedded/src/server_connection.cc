#include "server_connection.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "wire.h"

namespace mqttrpc::broker {
namespace {

using mqtt::LogLevel;
using mqtt::ReasonCode;

// How long last words may take to be written.
constexpr std::chrono::seconds kFarewell{5};

// A client whose write has been under way for longer takes nothing at the moment.
constexpr std::chrono::seconds kStall{1};

// When retained messages are looked for again that the memory had no room for.
constexpr std::chrono::seconds kScanAgain{1};

}  // namespace

ServerConnection::ServerConnection(BrokerCore& core, Shell& shell, mqtt::TimePoint now)
    : core_(core), shell_(shell), writer_(core.writers), last_packet_at_(now) {}

ServerConnection::~ServerConnection() {
  if (incoming_ != nullptr) core_.unfinished.Set(*incoming_, 0, UnfinishedPackets::Kind::kPart);
  // Finish() has left the session, unless nobody closed us: then nobody is told either.
  if (session_ != nullptr) session_->Detach();
}

void ServerConnection::GiveWay(mqtt::TimePoint now) {
  Finish(absl::ResourceExhaustedError("no CONNECT so far, and others wait"), now);
}

absl::Status ServerConnection::HandleFirst(const mqtt::Frame& frame, mqtt::TimePoint now) {
  const auto connect = mqtt::DecodeConnect(frame);
  if (connect.ok()) {
    if (core_.neighbours != nullptr && !moved_) {
      const std::size_t home = core_.neighbours->HomeOf(connect->client_id);
      if (home != core_.neighbours->index()) return MoveTo(home, frame);
    }
    const bool named = connect->properties.Has(mqtt::PropertyId::kAuthenticationMethod);
    return named ? BeginAuthentication(*connect, frame, now) : Accept(*connect, now);
  }
  terms_.peer.version = AnswerVersionOf(frame);
  writer_.SetPeer(terms_.peer);
  return connect.status();
}

absl::Status ServerConnection::MoveTo(std::size_t shard, const mqtt::Frame& frame) {
  if (!shell_.CanMove()) {
    return mqtt::StatusFrom(ReasonCode::kServerUnavailable, "this stream cannot go on with another thread");
  }
  mqtt::Writer packet(incoming_->connect);
  packet.U8(frame.first_byte);
  packet.VariableByteInteger(static_cast<std::uint32_t>(frame.body.size()));
  packet.Raw(mqtt::AsText(frame.body));
  incoming_->moves_to = shard;
  shell_.Wake();
  return absl::OkStatus();
}

std::string ServerConnection::TakeUnread() { return std::move(incoming_->connect) + incoming_->frames.TakeRest(); }

// One that belongs here.
std::string ServerConnection::AssignedClientId() const {
  for (;;) {
    std::string client_id = NewClientId(*core_.options.environment.random);
    const bool ours = core_.neighbours == nullptr || core_.neighbours->IsHome(client_id);
    if (ours && !core_.sessions.contains(client_id)) return client_id;
  }
}

absl::Status ServerConnection::Accept(const mqtt::Connect& connect, mqtt::TimePoint now) {
  SessionStore& sessions = core_.sessions;
  const BrokerOptions& options = core_.options;
  terms_ = TermsOf(connect, options);
  writer_.SetPeer(terms_.peer);  // They hold for a refusal too.
  if (absl::Status status = CheckConnect(connect, options); !status.ok()) return status;
  const bool assigned = connect.client_id.empty();
  const std::string client_id = assigned ? AssignedClientId() : std::string(connect.client_id);
  const bool known = sessions.contains(client_id);
  if (core_.OfAll(&Counters::connections) >= options.maximum_connections && !sessions.IsConnected(client_id)) {
    return mqtt::StatusFrom(ReasonCode::kQuotaExceeded,
                            absl::StrCat("this broker takes ", options.maximum_connections, " connections"));
  }
  if (absl::Status status = CheckRoomFor(connect, known); !status.ok()) return status;
  if (!known && core_.OfAll(&Counters::sessions) >= options.maximum_sessions) terms_.session_expiry = 0;

  mqtt::ConnAck ack;
  ack.session_present = sessions.WouldResume(client_id, connect.clean_start);  // MQTT-3.2.2-2, MQTT-3.2.2-3
  mqtt::Properties properties = ConnAckProperties(connect, options, terms_, client_id, assigned);
  if (auth_ != nullptr) {  // 3.2.2.3.17
    properties.Set(mqtt::property::kAuthenticationMethod, std::string_view(auth_->method));
    if (auth_->answer) properties.Set(mqtt::property::kAuthenticationData, std::string_view(*auth_->answer));
  }
  ack.properties = properties;
  if (absl::Status status = writer_.Append(ack); !status.ok()) {  // MQTT-3.1.4-5
    return mqtt::StatusFrom(ReasonCode::kPacketTooLarge, mqtt::ToStd(status.message()));
  }
  resumed_ = ack.session_present;
  session_ = sessions.Open(client_id, connect.clean_start, now).session;
  Begin(connect, now);
  return absl::OkStatus();
}

absl::Status ServerConnection::CheckRoomFor(const mqtt::Connect& connect, bool known) const {
  const std::size_t will = connect.will ? connect.will->topic_name.size() + connect.will->payload.size() +
                                              connect.will->properties.size_bytes()
                                        : 0;
  const std::size_t bytes = (known ? 0 : connect.client_id.size()) + will;
  if ((known && will == 0) || !core_.budget.RefusesSession(bytes)) return absl::OkStatus();
  return mqtt::StatusFrom(ReasonCode::kQuotaExceeded, "this broker has no memory left for another session");
}

// From here on the client is served.
void ServerConnection::Begin(const mqtt::Connect& connect, mqtt::TimePoint now) {
  state_ = State::kConnected;
  last_packet_at_ = now;
  incoming_->frames.set_maximum_packet_size(core_.options.maximum_packet_size);
  asked_expiry_ = connect.properties.Get(mqtt::property::kSessionExpiryInterval).value_or(0);
  session_->expiry = terms_.session_expiry;
  session_->Attach(*this, terms_.peer);
  core_.sessions.OnAttached();
  if (connect.will) KeepWill(*connect.will, now);
  Log(LogLevel::kInfo, "connected", " client_id=", Quoted(session_->client_id()),
      " version=", static_cast<int>(terms_.peer.version), " keep_alive=", terms_.keep_alive);
  core_.router.Refill(*session_);
  shell_.Wake();
}

// MQTT-3.1.4-3
void ServerConnection::OnTakenOver(mqtt::TimePoint now) {
  Disconnect(ReasonCode::kSessionTakenOver, "another connection uses this client id", now);
}

void ServerConnection::Refuse(const absl::Status& why, mqtt::TimePoint now) {
  if (finished()) return;
  const ReasonCode code = mqtt::ReasonCodeOr(why, ReasonCode::kUnspecifiedError);
  if (state_ == State::kConnected) return Disconnect(code, mqtt::ToStd(why.message()), now);
  // MQTT 3 has no code for what is malformed: it only closes.
  if (v5() || (code != ReasonCode::kMalformedPacket && code != ReasonCode::kProtocolError)) {
    mqtt::ConnAck ack;
    ack.reason_code = ForConnAck(code);
    AnswerWithReason(ack, mqtt::ToStd(why.message()));
  }
  Finish(why, now);
}

void ServerConnection::Disconnect(ReasonCode code, std::string_view reason, mqtt::TimePoint now) {
  if (finished()) return;
  if (state_ == State::kConnected && v5()) {  // MQTT-3.14.0-1
    mqtt::Disconnect disconnect;
    disconnect.reason_code = code;
    AnswerWithReason(disconnect, reason);
  }
  Finish(mqtt::StatusFrom(code, reason), now);
}

// Leaves the session: no one reaches this client any more, and what the writer has
// are its last packets.
void ServerConnection::Finish(const absl::Status& why, mqtt::TimePoint now) {
  state_ = State::kFinished;
  abandoned_ = abandoned_ || StreamEnded();
  last_packet_at_ = now;
  core_.now = now;
  shell_.Wake();
  if (session_ == nullptr) {  // It was never accepted.
    core_.counters.connections_refused.Add();
    Log(LogLevel::kInfo, "refused", " reason=", Quoted(mqtt::ToStd(why.message())));
    return;
  }
  Session& session = *std::exchange(session_, nullptr);
  Log(LogLevel::kInfo, "disconnected", " client_id=", Quoted(session.client_id()),
      " reason=", Quoted(why.ok() ? "normal" : mqtt::ToStd(why.message())));
  core_.sessions.Close(session, now);
}

void ServerConnection::OnStreamEnd(const absl::Status& why, mqtt::TimePoint now) {
  if (moves_to()) return;  // It is told anew.
  if (unfinished()) {
    incoming_->stream_end = why;
    return;
  }
  abandoned_ = true;
  if (finished()) return shell_.Wake();
  Finish(why.ok() ? absl::UnavailableError("closed without DISCONNECT") : why, now);
}

void ServerConnection::Collect(mqtt::TimePoint now, std::vector<std::span<const std::byte>>& gather) {
  gather.clear();
  if (StreamEnded()) return;
  if (session_ == nullptr) return writer_.Collect(nullptr, now, gather);
  if (session_->HasRetainedScans()) ScanRetained(now);
  Outbox& outbox = session_->outbox();
  const std::size_t before = outbox.waiting_messages();
  writer_.Collect(&outbox, now, gather);
  if (session_->shares().empty() || outbox.waiting_messages() == before) return;
  // QoS 0, and what expired, has left room that no acknowledgement tells of.
  const std::size_t left = outbox.waiting_messages();
  core_.router.Refill(*session_);
  if (outbox.waiting_messages() != left) shell_.Wake();
}

void ServerConnection::ScanRetained(mqtt::TimePoint now) {
  scan_waits_ = !std::exchange(scan_turn_, false);
  if (scan_waits_) return;
  const std::size_t before = core_.work;
  scan_waits_ = core_.DeliverRetained(*session_, now);
  AddServed(core_.work - before, 0, now);
  // With nothing under way there is nothing whose end would tell that there is room.
  const bool starved = !scan_waits_ && session_->HasRetainedScans() && session_->outbox().empty();
  session_->ScanRetainedAgainAt(starved ? now + kScanAgain : mqtt::kNever);
}

void ServerConnection::OnWritten() {
  const bool whole = writer_.Written();
  if (session_ == nullptr) return;
  if (whole) session_->outbox().OnWritten();
  // It takes messages again, and QoS 0 under way has left room.
  if (!session_->shares().empty()) core_.router.Refill(*session_);
}

bool ServerConnection::has_more_to_say() const {
  if (!writer_.idle()) return true;
  return session_ != nullptr && (session_->outbox().has_work() || session_->HasRetainedScans());
}

bool ServerConnection::Stalled() const {
  if (writer_.writing() && core_.now > writer_.writing_since() + kStall) return true;
  return session_ != nullptr && session_->outbox().Silent(core_.now - kStall);
}

mqtt::TimePoint ServerConnection::deadline() const {
  if (abandoned_) return mqtt::kNever;
  switch (state_) {
    case State::kAwaitingConnect:
    case State::kAuthenticating: return last_packet_at_ + core_.options.connect_timeout;
    case State::kFinished: return last_packet_at_ + kFarewell;
    case State::kConnected: break;
  }
  return std::min({SilenceDeadline(), WriteDeadline(), session_->retained_scan_at()});
}

// MQTT-3.1.2-22
mqtt::TimePoint ServerConnection::SilenceDeadline() const {
  if (terms_.keep_alive == 0 || reading_paused_ || unfinished_) return mqtt::kNever;
  return last_packet_at_ + std::chrono::milliseconds(1500) * terms_.keep_alive;
}

// A client that takes nothing holds memory that others need, however alive it sounds.
mqtt::TimePoint ServerConnection::WriteDeadline() const {
  return writer_.writing() ? writer_.writing_since() + core_.options.write_timeout : mqtt::kNever;
}

void ServerConnection::OnReadingResumed(mqtt::TimePoint now) {
  reading_paused_ = false;
  last_packet_at_ = now;
}

void ServerConnection::OnDeadline(mqtt::TimePoint now) {
  if (now < deadline()) return;
  switch (state_) {
    case State::kAwaitingConnect:
    case State::kAuthenticating: Finish(absl::DeadlineExceededError("no CONNECT in time"), now); break;
    case State::kConnected:
      if (now >= WriteDeadline()) {
        Disconnect(ReasonCode::kQuotaExceeded, "did not take 256 KiB of what was sent for too long", now);
        break;
      }
      if (now >= session_->retained_scan_at()) {
        session_->ScanRetainedAgainAt(mqtt::kNever);
        shell_.Wake();
      }
      if (now < SilenceDeadline()) break;
      Disconnect(ReasonCode::kKeepAliveTimeout,
                 absl::StrCat("silent for 1.5 times the keep alive of ", terms_.keep_alive, " s"), now);
      break;
    case State::kFinished:
      abandoned_ = true;
      shell_.Wake();
      break;
  }
}

}  // namespace mqttrpc::broker
