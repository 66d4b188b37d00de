#include "mqttrpc/testing/recorded_packet.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "mqttrpc/mqtt/status.h"
#include "packet_text.h"
#include "packets.h"

namespace mqttrpc::testing {
namespace {

constexpr std::size_t kShownPayload = 60;  // Bytes.

std::string Quoted(std::string_view text, std::size_t shown) {
  const std::string_view part = text.substr(0, shown);
  std::string quoted = absl::StrCat("\"", absl::CHexEscape(mqtt::ToAbsl(part)), "\"");
  if (part.size() < text.size()) absl::StrAppend(&quoted, "... (", text.size(), " bytes)");
  return quoted;
}

std::string Hex(mqtt::ReasonCode code) { return absl::StrFormat("0x%02X", static_cast<unsigned>(code)); }

// Copies what a decoded packet says, kind by kind.
class Copier {
 public:
  explicit Copier(RecordedPacket& into) : into_(into) {}

  void operator()(const mqtt::Connect& packet) {
    into_.protocol_version = static_cast<std::uint8_t>(packet.version);
    into_.client_id = packet.client_id;
    into_.clean_start = packet.clean_start;
    into_.keep_alive = packet.keep_alive;
    into_.has_will = packet.will.has_value();
    if (packet.will.has_value()) {
      into_.topic_name = packet.will->topic_name;
      into_.payload = packet.will->payload;
      into_.qos = packet.will->qos;
      into_.retain = packet.will->retain;
    }
    Copy(packet.properties);
  }
  void operator()(const mqtt::ConnAck& packet) {
    into_.session_present = packet.session_present;
    into_.reason = packet.reason_code;
    Copy(packet.properties);
  }
  void operator()(const mqtt::Publish& packet) {
    into_.packet_id = packet.packet_id;
    into_.qos = packet.qos;
    into_.dup = packet.dup;
    into_.retain = packet.retain;
    into_.topic_name = packet.topic_name;
    into_.topic_omitted = packet.topic_name.empty();
    into_.payload = packet.payload;
    Copy(packet.properties);
  }
  template <mqtt::PacketType kType>
  void operator()(const mqtt::PublishResponse<kType>& packet) {
    into_.packet_id = packet.packet_id;
    into_.reason = packet.reason_code;
    Copy(packet.properties);
  }
  void operator()(const mqtt::Subscribe& packet) {
    into_.packet_id = packet.packet_id;
    for (const mqtt::SubscribeEntry& each : packet.entries) {
      into_.topic_filters.emplace_back(each.topic_filter);
      into_.qos = std::max(into_.qos, each.qos);
    }
    Copy(packet.properties);
  }
  void operator()(const mqtt::Unsubscribe& packet) {
    into_.packet_id = packet.packet_id;
    for (const std::string_view each : packet.topic_filters) into_.topic_filters.emplace_back(each);
    Copy(packet.properties);
  }
  void operator()(const mqtt::SubAck& packet) { CopyAck(packet); }
  void operator()(const mqtt::UnsubAck& packet) { CopyAck(packet); }
  void operator()(const mqtt::Disconnect& packet) {
    into_.reason = packet.reason_code;
    Copy(packet.properties);
  }
  void operator()(const mqtt::Auth& packet) {
    into_.reason = packet.reason_code;
    Copy(packet.properties);
  }
  void operator()(const mqtt::PingReq&) {}
  void operator()(const mqtt::PingResp&) {}

 private:
  void Copy(const mqtt::PropertiesView& properties) { into_.properties = mqtt::Properties(properties); }
  template <typename Ack>
  void CopyAck(const Ack& packet) {
    into_.packet_id = packet.packet_id;
    into_.reasons = packet.reason_codes;
    if (!into_.reasons.empty()) into_.reason = into_.reasons.front();
    Copy(packet.properties);
  }

  RecordedPacket& into_;
};

absl::StatusOr<mqtt::Packet> Decode(const mqtt::Frame& frame, mqtt::Sender sender, mqtt::ProtocolVersion version) {
  if (frame.first_byte >> 4 != static_cast<int>(PacketKind::kConnect)) {
    return mqtt::DecodePacket(frame, sender, version);
  }
  auto connect = mqtt::DecodeConnect(frame);
  if (!connect.ok()) return connect.status();
  return mqtt::Packet(*std::move(connect));
}

void AppendProperties(std::string& line, const mqtt::Properties& properties) {
  properties.view().ForEach([&](const mqtt::PropertyView& each) { absl::StrAppend(&line, " ", PropertyText(each)); });
}

void AppendMessage(std::string& line, const RecordedPacket& packet) {
  absl::StrAppend(&line, " qos=", static_cast<int>(packet.qos));
  if (packet.dup) line += " dup";
  if (packet.retain) line += " retain";
  absl::StrAppend(&line, packet.topic_omitted ? " (topic=" : " topic=", packet.topic_name,
                  packet.topic_omitted ? ")" : "", " payload=", Quoted(packet.payload, kShownPayload));
}

}  // namespace

std::string_view NameOf(PacketKind kind) {
  return kind == PacketKind::kUnreadable ? "unreadable bytes" : mqtt::NameOf(static_cast<mqtt::PacketType>(kind));
}

std::ostream& operator<<(std::ostream& out, PacketKind kind) { return out << NameOf(kind); }

RecordedPacket ReadPacket(std::string_view bytes, Direction direction, std::uint8_t protocol_version) {
  RecordedPacket read;
  read.direction = direction;
  read.protocol_version = protocol_version;
  read.bytes = bytes;
  const std::size_t header = HeaderSize(bytes);
  if (header == 0) return read;
  read.kind = static_cast<PacketKind>(static_cast<std::uint8_t>(bytes[0]) >> 4);
  mqtt::Frame frame;
  frame.first_byte = static_cast<std::uint8_t>(bytes[0]);
  frame.body = mqtt::AsBytes(bytes.substr(header));
  const auto sender = direction == Direction::kToBroker ? mqtt::Sender::kClient : mqtt::Sender::kServer;
  const auto packet = Decode(frame, sender, static_cast<mqtt::ProtocolVersion>(protocol_version));
  if (packet.ok()) {
    std::visit(Copier(read), *packet);
  } else {
    read.malformed = true;
  }
  return read;
}

std::string ToString(const RecordedPacket& packet) {
  std::string line = absl::StrFormat("%.3fs %s %c ", std::chrono::duration<double>(packet.time).count(), packet.client,
                                     packet.direction == Direction::kToBroker ? '>' : '<');
  const std::string_view name = NameOf(packet.kind);
  line.append(name);
  if (packet.kind == PacketKind::kUnreadable) absl::StrAppend(&line, " ", Quoted(packet.bytes, kShownPayload));
  if (packet.malformed) line += " malformed";
  if (packet.packet_id != 0) absl::StrAppend(&line, " id=", packet.packet_id);
  if (packet.kind == PacketKind::kConnect) {
    absl::StrAppend(&line, " client_id=", packet.client_id, " clean_start=", packet.clean_start,
                    " keep_alive=", packet.keep_alive);
    if (packet.protocol_version == 4) line += " version=3.1.1";
    if (packet.protocol_version == 3) line += " version=3.1";
    if (packet.has_will) line += " will:";
  }
  if (packet.kind == PacketKind::kConnAck) absl::StrAppend(&line, " session_present=", packet.session_present);
  if (packet.kind == PacketKind::kPublish || packet.has_will) AppendMessage(line, packet);
  for (const std::string& each : packet.topic_filters) absl::StrAppend(&line, " filter=", each);
  if (packet.kind == PacketKind::kSubscribe) absl::StrAppend(&line, " qos=", static_cast<int>(packet.qos));
  if (!packet.reasons.empty()) {
    for (const mqtt::ReasonCode each : packet.reasons) absl::StrAppend(&line, " reason=", Hex(each));
  } else if (packet.reason != mqtt::ReasonCode::kSuccess) {
    absl::StrAppend(&line, " reason=", Hex(packet.reason));
  }
  AppendProperties(line, packet.properties);
  if (!packet.fault.empty()) absl::StrAppend(&line, " [", packet.fault, "]");
  return line;
}

std::ostream& operator<<(std::ostream& out, const RecordedPacket& packet) { return out << ToString(packet); }

}  // namespace mqttrpc::testing
