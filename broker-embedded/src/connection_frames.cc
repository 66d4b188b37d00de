// What a client sends, from bytes to packets: its turns, and what waits for them.
#include <algorithm>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "server_connection.h"
#include "wire.h"

namespace mqttrpc::broker {
namespace {

using mqtt::ReasonCode;

// A packet's handling, in the units of BrokerCore::work.
constexpr std::size_t kWorkPerPacket = 4;
constexpr std::size_t kBytesPerWork = 64;

// What has been done for a connection counts half after this time.
constexpr std::chrono::seconds kHalfLife{1};

// What we may have to say before a client must read some of it, in bytes.
constexpr std::size_t kManyAnswers = 64 * 1024;
constexpr std::size_t kFewAnswers = 4 * 1024;

// Who has so many answers to take is read from little by little: what does not become
// answers would have to wait here.
constexpr std::size_t kSomeAnswers = 16 * 1024;
constexpr std::size_t kSmallRead = 4 * 1024;

// Of the rest of a large packet so many times as much is read at once.
constexpr std::size_t kPacketReads = 4;

// What a list may have, of Topic Filters or of properties: each entry costs much more
// than its bytes.
constexpr std::size_t kMaximumListBytes = 1024 * 1024;

mqtt::PacketType TypeOf(std::uint8_t first_byte) { return static_cast<mqtt::PacketType>(first_byte >> 4); }

bool IsConnect(std::uint8_t first_byte) { return TypeOf(first_byte) == mqtt::PacketType::kConnect; }

// How many bytes of `frame` are a list. Of one that is malformed it does not matter.
std::size_t ListBytes(const mqtt::Frame& frame, mqtt::ProtocolVersion version) {
  if (TypeOf(frame.first_byte) != mqtt::PacketType::kPublish) return frame.body.size();
  if (version != mqtt::ProtocolVersion::k5 || frame.body.size() <= kMaximumListBytes) return 0;
  constexpr std::uint8_t kQoSBits = 0x06;
  mqtt::Reader in(mqtt::AsText(frame.body));
  in.String("Topic Name");
  if ((frame.first_byte & kQoSBits) != 0) in.U16("Packet Identifier");
  return in.VariableByteInteger("Property Length");
}

absl::Status CheckList(const mqtt::Frame& frame, mqtt::ProtocolVersion version) {
  const std::size_t bytes = ListBytes(frame, version);
  if (bytes <= kMaximumListBytes) return absl::OkStatus();
  return mqtt::StatusFrom(ReasonCode::kQuotaExceeded,
                          absl::StrCat("the properties or Topic Filters of a packet have ", bytes,
                                       " bytes; this broker takes ", kMaximumListBytes));
}

absl::Status NotAConnect() { return mqtt::StatusFrom(ReasonCode::kProtocolError, "the first packet is not a CONNECT"); }

}  // namespace

void Incoming::GiveUp(mqtt::TimePoint now) { connection->GiveUp(now); }

Incoming& ServerConnection::Receive() {
  if (incoming_ == nullptr) {
    incoming_ = core_.incoming.Take();
    incoming_->connection = this;
    incoming_->frames.UseSpares(core_.budget.spares(), SharedMessage::kRoomInFront);
    const BrokerOptions& options = core_.options;
    incoming_->frames.set_maximum_packet_size(state_ == State::kConnected ? options.maximum_packet_size
                                                                          : options.maximum_connect_packet_size);
  }
  return *incoming_;
}

// Lets incoming_ go when all of it is handled: when nobody looks at it any more.
void ServerConnection::SettleIncoming() {
  if (incoming_ == nullptr || unfinished() || moves_to() || incoming_->frames.memory_bytes() > 0) return;
  incoming_->stream_end.reset();
  incoming_->moves_to.reset();
  incoming_->connect = {};
  core_.incoming.Give(std::move(incoming_));
}

void ServerConnection::OnBytes(std::span<const std::byte> bytes, mqtt::TimePoint now, bool in_turn) {
  if (finished()) return;
  Incoming& incoming = Receive();
  incoming.last_read = bytes.size();
  core_.counters.bytes_received.Add(bytes.size());
  if (state_ == State::kAwaitingConnect && incoming.frames.tail_bytes() == 0 &&
      !IsConnect(static_cast<std::uint8_t>(bytes.front()))) {
    return Refuse(NotAConnect(), now);  // Whatever it speaks, it may not be long enough for a packet.
  }
  incoming.frames.Feed(bytes);
  if (in_turn) return HandleFrames(now);
  unfinished_ = true;
  KeepTail(now);
}

void ServerConnection::Continue(mqtt::TimePoint now) {
  if (finished()) return;
  if (std::exchange(scan_waits_, false)) {
    scan_turn_ = true;
    shell_.Wake();
  }
  if (!unfinished() || choked()) return;
  if (state_ == State::kConnected) last_packet_at_ = now;  // That it was silent was our doing.
  HandleFrames(now);
}

// Of `work` that was done by served_at_.
std::uint64_t ServerConnection::Recent(std::uint32_t work, mqtt::TimePoint now) const {
  if (now - served_at_ < kHalfLife) return work;
  const auto halvings = (now - served_at_) / kHalfLife;
  return halvings >= std::numeric_limits<std::uint32_t>::digits ? 0 : work >> halvings;
}

void ServerConnection::AddServed(std::size_t work, std::size_t elsewhere, mqtt::TimePoint now) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  const std::uint64_t sum = served(now) + work;
  const std::uint64_t sum_elsewhere = served_elsewhere(now) + elsewhere;
  if (now - served_at_ >= kHalfLife) served_at_ = now;
  served_ = static_cast<std::uint32_t>(std::min(sum, kMost));
  served_elsewhere_ = static_cast<std::uint32_t>(std::min(sum_elsewhere, kMost));
}

std::span<std::byte> ServerConnection::BufferFor(std::span<std::byte> offered) {
  const bool little = core_.budget.tight() || writer_.own_bytes() > kSomeAnswers;
  const std::size_t room = core_.unfinished.ReadRoom();
  const std::size_t most = little ? std::min(room, kSmallRead) : room;
  // What belongs to a packet that is waited for anyway will not have to wait for a turn.
  const std::span<std::byte> packet = incoming_ != nullptr ? incoming_->frames.Room() : std::span<std::byte>();
  if (!packet.empty()) return packet.first(std::min(packet.size(), kPacketReads * most));
  return offered.first(std::min(offered.size(), most));
}

void ServerConnection::HandleFrames(mqtt::TimePoint now) {
  core_.now = now;
  const std::size_t before = core_.work;
  const std::size_t elsewhere_before = core_.work_elsewhere;
  const std::size_t changed_before = core_.neighbours == nullptr ? 0 : core_.neighbours->changed_groups();
  unfinished_ = false;
  while (!finished()) {
    const auto frame = incoming_->frames.Next();
    if (!frame.ok()) {
      Refuse(frame.status(), now);
      break;
    }
    if (!frame->has_value()) break;
    HandleFrame(**frame, now);
    if (incoming_->moves_to) break;
    if (core_.work < BrokerCore::kWorkPerTurn && !AnswersPileUp()) continue;
    unfinished_ = true;
    break;
  }
  if (core_.neighbours != nullptr) core_.neighbours->OnInputHandled(changed_before);
  AddServed(core_.work - before, core_.work_elsewhere - elsewhere_before, now);
  KeepTail(now);
  if (StreamEnded() && !unfinished()) OnStreamEnd(*incoming_->stream_end, now);
  SettleIncoming();
}

// Who does not read is not read from either.
bool ServerConnection::AnswersPileUp() const {
  return writer_.own_bytes() > (core_.budget.tight() ? kFewAnswers : kManyAnswers);
}

void ServerConnection::KeepTail(mqtt::TimePoint now) {
  mqtt::FrameBuffer& frames = incoming_->frames;
  if (finished()) frames.Clear();
  frames.Keep();
  const std::size_t before = UnfinishedPackets::bytes(*incoming_);
  using Kind = UnfinishedPackets::Kind;
  // Of a large packet and what follows it, all counts as part of it.
  const bool one_read = frames.tail_bytes() <= incoming_->last_read + UnfinishedPackets::kSmall;
  Kind kind = Kind::kPart;
  if (unfinished() && one_read) kind = AnswersPileUp() ? Kind::kChoked : Kind::kWaiting;
  core_.unfinished.Set(*incoming_, frames.memory_bytes(), kind);
  if (frames.memory_bytes() <= before) return;
  if (UnfinishedPackets::Packet* surplus = core_.unfinished.Surplus(*incoming_)) surplus->GiveUp(now);
}

void ServerConnection::GiveUp(mqtt::TimePoint now) {
  Refuse(mqtt::StatusFrom(ReasonCode::kQuotaExceeded, "too many large packets arrive at the same time; try again"),
         now);
  incoming_->frames.Clear();
  core_.unfinished.Set(*incoming_, 0, UnfinishedPackets::Kind::kPart);
  SettleIncoming();
}

void ServerConnection::HandleFrame(const mqtt::Frame& frame, mqtt::TimePoint now) {
  if (state_ == State::kConnected) last_packet_at_ = now;
  core_.work += kWorkPerPacket + frame.body.size() / kBytesPerWork;
  const absl::Status status = [&] {
    // MQTT-3.1.0-1
    if (state_ == State::kAwaitingConnect) return IsConnect(frame.first_byte) ? HandleFirst(frame, now) : NotAConnect();
    if (absl::Status listed = CheckList(frame, terms_.peer.version); !listed.ok()) return listed;
    auto packet = mqtt::DecodePacket(frame, mqtt::Sender::kClient, terms_.peer.version);
    return packet.ok() ? HandlePacket(*packet, now) : packet.status();
  }();
  if (!status.ok()) Refuse(status, now);
}

}  // namespace mqttrpc::broker
