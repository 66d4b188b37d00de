#include "judged_client.h"

#include <utility>
#include <variant>

#include "mqttrpc/mqtt/status.h"
#include "wire_text.h"

namespace mqttrpc::test {

using mqtt::PacketType;
using mqtt::ProtocolVersion;

namespace {

constexpr std::uint32_t kLargestPacket = mqtt::kMaximumVariableByteInteger + 5;

}  // namespace

JudgedClient::JudgedClient(std::unique_ptr<mqtt::Transport> transport)
    : transport_(std::move(transport)),
      said_(kLargestPacket),
      maximum_packet_size_(kLargestPacket),
      heard_(kLargestPacket) {
  transport_->Start(*this);
}

void JudgedClient::Say(std::string_view bytes) {
  if (closed_ || bytes.empty()) return;
  if (!said_nonsense_) {
    said_.Feed(mqtt::AsBytes(bytes));
    for (;;) {
      const auto frame = said_.Next();
      said_nonsense_ = !frame.ok();
      if (said_nonsense_ || !frame->has_value()) break;
      NoteSaid(**frame);
    }
    said_.Keep();
  }
  unsent_.append(bytes);
  if (writing_.empty()) OnWritten();
}

void JudgedClient::SetFrozen(bool frozen) {
  if (closed_ || frozen == frozen_) return;
  frozen_ = frozen;
  frozen ? transport_->PauseReading() : transport_->ResumeReading();
}

void JudgedClient::NoteSaid(const mqtt::Frame& frame) {
  if (!std::exchange(said_anything_, true)) {
    const auto connect = mqtt::DecodeConnect(frame);
    if (!connect.ok()) return;
    version_ = connect->version;
    const auto& properties = connect->properties;
    maximum_packet_size_ = properties.Get(mqtt::property::kMaximumPacketSize).value_or(kLargestPacket);
    receive_maximum_ = properties.Get(mqtt::property::kReceiveMaximum).value_or(65'535);
    topic_alias_maximum_ = properties.Get(mqtt::property::kTopicAliasMaximum).value_or(0);
    return;
  }
  const auto packet = mqtt::DecodePacket(frame, mqtt::Sender::kClient, version_.value_or(ProtocolVersion::k5));
  if (!packet.ok()) return;
  if (const auto* ack = std::get_if<mqtt::PubAck>(&*packet)) Forget(ack->packet_id);
  if (const auto* complete = std::get_if<mqtt::PubComp>(&*packet)) Forget(complete->packet_id);
  const auto* received = std::get_if<mqtt::PubRec>(&*packet);
  if (received != nullptr && mqtt::IsError(received->reason_code)) Forget(received->packet_id);
}

void JudgedClient::Forget(mqtt::PacketId packet_id) {
  if (under_way_.erase(packet_id) == 0) acknowledged_ahead_ = true;
}

void JudgedClient::OnWritten() {
  writing_ = std::exchange(unsent_, {});
  if (writing_.empty() || closed_) return;
  const auto piece = mqtt::AsBytes(writing_);
  if (transport_->Write(std::span(&piece, 1))) writing_.clear();
}

void JudgedClient::OnBytes(std::span<const std::byte> bytes) {
  heard_.Feed(bytes);
  for (;;) {
    const auto frame = heard_.Next();
    if (!frame.ok()) return Complain(std::string(mqtt::ToStd(frame.status().message())));
    if (!frame->has_value()) break;
    Judge(**frame);
  }
  heard_.Keep();
}

void JudgedClient::OnClosed(absl::Status) {
  closed_ = true;
  if (heard_.tail_bytes() != 0) Complain("the stream ends in the middle of a packet");
}

void JudgedClient::Judge(const mqtt::Frame& frame) {
  if (over_) Complain("a packet after the last one");
  // A CONNECT that means nothing is refused in whatever version the server thinks of.
  auto packet = mqtt::DecodePacket(frame, mqtt::Sender::kServer, version_.value_or(ProtocolVersion::k5));
  if (!packet.ok() && !version_) packet = mqtt::DecodePacket(frame, mqtt::Sender::kServer, ProtocolVersion::k311);
  if (!packet.ok())
    return Complain(std::string(mqtt::ToStd(packet.status().message())) + " in " + Hex(mqtt::AsText(frame.body)));
  const PacketType type = mqtt::TypeOf(*packet);
  types_.insert(type);
  const std::size_t size =
      1 + mqtt::VariableByteIntegerSize(static_cast<std::uint32_t>(frame.body.size())) + frame.body.size();
  if (size > maximum_packet_size_) Complain("a packet over Maximum Packet Size");  // MQTT-3.1.2-24
  const auto* ack = std::get_if<mqtt::ConnAck>(&*packet);
  if (!greeted_ && ack == nullptr && type != PacketType::kAuth) {
    Complain(std::string(mqtt::NameOf(type)) + " before CONNACK");  // MQTT-3.2.0-1
  }
  if (greeted_ && ack != nullptr) Complain("a second CONNACK");  // MQTT-3.2.0-2
  if (ack != nullptr) greeted_ = true;
  over_ = type == PacketType::kDisconnect || (ack != nullptr && mqtt::IsError(ack->reason_code));
  if (const auto* publish = std::get_if<mqtt::Publish>(&*packet)) JudgePublish(*publish);
}

void JudgedClient::JudgePublish(const mqtt::Publish& publish) {
  payloads_.emplace(publish.payload);
  if (const auto alias = publish.properties.Get(mqtt::property::kTopicAlias)) {
    if (*alias > topic_alias_maximum_) Complain("a Topic Alias beyond the maximum");  // MQTT-3.1.2-26
    const bool known = !aliases_.insert(*alias).second;
    if (publish.topic_name.empty() && !known) Complain("a Topic Alias that stands for nothing");
  }
  if (publish.qos == mqtt::QoS::kAtMostOnce || acknowledged_ahead_) return;
  const bool is_new = under_way_.insert(publish.packet_id).second;
  if (!is_new) Complain("a Packet Identifier that is under way already");                     // MQTT-2.2.1-4
  if (under_way_.size() > receive_maximum_) Complain("more than Receive Maximum under way");  // MQTT-3.3.4-9
}

void JudgedClient::Complain(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
}

}  // namespace mqttrpc::test
