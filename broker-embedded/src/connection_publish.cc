// Messages from and to a connected client: PUBLISH and the four packets that
// acknowledge it (MQTT 3.3 to 3.7, 4.3).
#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "server_connection.h"

namespace mqttrpc::broker {

using mqtt::LogLevel;
using mqtt::QoS;
using mqtt::ReasonCode;
namespace property = mqtt::property;

namespace {

// QoS 2 messages that are not released, of all connections of a session.
constexpr std::size_t kFewUnreleased = 1024;

// How many PUBACKs may wait for company: also never more than a part of what the client
// may have unacknowledged, or it would wait for them in turn.
constexpr std::size_t kWaitingAcks = 64;
constexpr std::size_t kWaitingAcksPart = 4;

// How many do not wait after one did in vain: its sender waits for nothing else, or answers
// take long.
constexpr std::uint8_t kAcksAtOnce = 64;

}  // namespace

absl::Status ServerConnection::CheckPublish(const mqtt::Publish& publish) const {
  const BrokerOptions& options = core_.options;
  if (publish.qos > options.maximum_qos) {  // MQTT-3.2.2-11
    return mqtt::StatusFrom(ReasonCode::kQoSNotSupported,
                            absl::StrCat("QoS is ", static_cast<int>(publish.qos), "; Maximum QoS is ",
                                         static_cast<int>(options.maximum_qos)));
  }
  if (publish.retain && !options.retain_available) {
    return mqtt::StatusFrom(ReasonCode::kRetainNotSupported, "RETAIN is set; Retain Available is 0");  // MQTT-3.2.2-14
  }
  if (publish.topic_name.size() > options.maximum_topic_bytes) {
    return mqtt::StatusFrom(ReasonCode::kTopicNameInvalid,
                            absl::StrCat("Topic Name has ", publish.topic_name.size(), " bytes; this broker takes ",
                                         options.maximum_topic_bytes));
  }
  return absl::OkStatus();
}

// Those whose PUBACK has not left are unacknowledged to the client too. A client of
// MQTT 3 knows of no limit.
absl::Status ServerConnection::CheckQuota() const {
  if (!v5() || writer_.unsent_pub_acks() + unreleased_ < core_.options.receive_maximum) return absl::OkStatus();
  return mqtt::StatusFrom(  // MQTT-3.3.4-7
      ReasonCode::kReceiveMaximumExceeded,
      absl::StrCat("more than ", core_.options.receive_maximum, " messages are unacknowledged"));
}

// Whether the client is about to be sent something else that its PUBACK can go with: to a
// request the answer (4.10), to one who answers the next request. It saves a write here and
// a wake-up there. Bad news is told at once.
bool ServerConnection::AckCanWait(bool expects_answer, ReasonCode code) {
  const std::size_t most = std::min<std::size_t>(kWaitingAcks, core_.options.receive_maximum / kWaitingAcksPart);
  if (code != ReasonCode::kSuccess || writer_.unsent_pub_acks() >= most) return false;
  if (!expects_answer || acks_at_once_ == 0) return expects_answer;
  --acks_at_once_;
  return false;
}

bool ServerConnection::ExpectsAnswer(const mqtt::Publish& publish) const {
  return publish.properties.Has(mqtt::PropertyId::kResponseTopic) ||
         (writer_.sent_request() && publish.properties.Has(mqtt::PropertyId::kCorrelationData));
}

void ServerConnection::OnWaitedInVain() { acks_at_once_ = kAcksAtOnce; }

absl::Status ServerConnection::OnPacket(const mqtt::Publish& publish, mqtt::TimePoint now) {
  if (absl::Status status = CheckPublish(publish); !status.ok()) return status;
  if (publish.qos != QoS::kAtMostOnce) {
    if (absl::Status status = CheckQuota(); !status.ok()) return status;
  }
  std::string_view topic_name;
  if (absl::Status status = ResolveTopic(publish, topic_name); !status.ok()) return status;
  published_ = true;
  core_.counters.messages_received.Add();
  if (publish.qos == QoS::kAtMostOnce) {
    Route(publish, topic_name, now);
    return absl::OkStatus();
  }
  const bool unreleased = session_->IsUnreleased(publish.packet_id);
  if (publish.qos == QoS::kAtLeastOnce) {
    const bool expects_answer = ExpectsAnswer(publish);  // Before Route(), see there.
    const ReasonCode code =
        unreleased ? ReasonCode::kPacketIdentifierInUse : Route(publish, topic_name, now);  // 3.4.2.1
    writer_.AppendPubAck(publish.packet_id, code);                                          // MQTT-4.3.2-4
    AckCanWait(expects_answer, code) ? shell_.WakeLater() : shell_.Wake();
    return absl::OkStatus();
  }
  if (!unreleased && core_.budget.lasting_full() && session_->unreleased() >= kFewUnreleased) {
    return mqtt::StatusFrom(ReasonCode::kQuotaExceeded,
                            absl::StrCat(session_->unreleased(), " QoS 2 messages are not released"));
  }
  // A duplicate is acknowledged again and goes to nobody (MQTT-4.3.3-10, MQTT-4.3.3-12).
  mqtt::PubRec received;
  received.packet_id = publish.packet_id;  // MQTT-4.3.3-8
  if (!unreleased) received.reason_code = Route(publish, topic_name, now);
  if (!unreleased && !mqtt::IsError(received.reason_code)) {  // MQTT-4.3.3-9
    session_->AddUnreleased(publish.packet_id);
    ++unreleased_;
  }
  Answer(received);
  return absl::OkStatus();
}

// Topic Aliases (3.3.2.3.4).
absl::Status ServerConnection::ResolveTopic(const mqtt::Publish& publish, std::string_view& topic_name) {
  topic_name = publish.topic_name;
  const auto alias = publish.properties.Get(property::kTopicAlias);
  if (!alias) return absl::OkStatus();                              // Then the decoder saw to it that there is a name.
  if (*alias == 0 || *alias > core_.options.topic_alias_maximum) {  // MQTT-3.3.2-8, MQTT-3.3.2-9
    return mqtt::StatusFrom(ReasonCode::kTopicAliasInvalid, absl::StrCat("Topic Alias is ", *alias, "; the maximum is ",
                                                                         core_.options.topic_alias_maximum));
  }
  if (!topic_name.empty()) {  // MQTT-3.3.2-12
    if (aliases_ == nullptr) aliases_ = std::make_unique<IncomingAliases>(core_.budget);
    return aliases_->Set(*alias, topic_name);
  }
  if (aliases_ != nullptr) topic_name = aliases_->Get(*alias);
  if (!topic_name.empty()) return absl::OkStatus();
  return mqtt::StatusFrom(ReasonCode::kProtocolError, absl::StrCat("Topic Alias ", *alias, " was never set"));
}

// Of a large one that came alone, the packet's own memory.
MessageRef ServerConnection::MessageOf(const mqtt::Publish& publish, std::string_view topic_name, mqtt::TimePoint now) {
  mqtt::FrameBuffer& frames = incoming_->frames;
  mqtt::Block block = frames.TakeBlock(publish.payload);
  if (block.empty()) return SharedMessage::Copy(core_.budget, publish, topic_name, now);
  core_.unfinished.Set(*incoming_, frames.memory_bytes(),
                       UnfinishedPackets::Kind::kPart);  // It counts as a message now.
  return SharedMessage::Adopt(core_.budget, std::move(block), publish, topic_name, now);
}

// The bytes that `publish` points at may have moved afterwards, or be gone with the message.
ReasonCode ServerConnection::Route(const mqtt::Publish& publish, std::string_view topic_name, mqtt::TimePoint now) {
  if (IsReservedTopic(topic_name)) return ReasonCode::kNotAuthorized;
  return core_.Publish(MessageOf(publish, topic_name, now), session_, now);
}

absl::Status ServerConnection::OnPacket(const mqtt::PubRel& release, mqtt::TimePoint) {
  mqtt::PubComp complete;
  complete.packet_id = release.packet_id;
  if (session_->Release(release.packet_id)) {
    if (unreleased_ > 0) --unreleased_;
  } else if (!resumed_) {
    // "Not an error during recovery" (3.7.2.1): there it is released, as far as the
    // client has to know, and some clients take the code for a failure.
    complete.reason_code = ReasonCode::kPacketIdentifierNotFound;
  }
  Answer(complete);  // MQTT-4.3.3-11
  return absl::OkStatus();
}

// What an acknowledgement of ours did. An identifier that is not ours to end is
// ignored: no harm was done, and the specification gives no Reason Code for it.
absl::Status ServerConnection::AfterAck(Outbox::Known known, std::string_view packet, mqtt::PacketId packet_id) {
  if (known == Outbox::Known::kYes) {
    session_->outbox().OnProgress(core_.now);
    core_.work += session_->shares().size();
    if (!session_->shares().empty()) core_.router.Refill(*session_);
    // The window has room (MQTT-3.3.4-9). If nothing wants it, our own packets that can wait
    // are not to be written for it.
    if (session_->outbox().has_work() || session_->HasRetainedScans()) shell_.Wake();
    return absl::OkStatus();
  }
  if (known == Outbox::Known::kMisplaced) {
    return mqtt::StatusFrom(
        ReasonCode::kProtocolError,
        absl::StrCat(mqtt::ToAbsl(packet), " is not the answer that message ", packet_id, " waits for"));
  }
  Log(LogLevel::kDebug, "unexpected_ack", " packet=", mqtt::ToAbsl(packet), " packet_id=", packet_id);
  return absl::OkStatus();
}

absl::Status ServerConnection::OnPacket(const mqtt::PubAck& ack, mqtt::TimePoint) {
  return AfterAck(session_->outbox().OnPubAck(ack.packet_id), "PUBACK", ack.packet_id);
}

absl::Status ServerConnection::OnPacket(const mqtt::PubRec& received, mqtt::TimePoint) {
  const bool error = mqtt::IsError(received.reason_code);
  const Outbox::Known known = session_->outbox().OnPubRec(received.packet_id, error);
  if (known != Outbox::Known::kMisplaced && !error) {
    mqtt::PubRel release;
    release.packet_id = received.packet_id;
    if (known == Outbox::Known::kNo) release.reason_code = ReasonCode::kPacketIdentifierNotFound;
    Answer(release);  // MQTT-4.3.3-4, MQTT-4.3.3-5, MQTT-4.6.0-4
  }
  return AfterAck(known, "PUBREC", received.packet_id);
}

absl::Status ServerConnection::OnPacket(const mqtt::PubComp& complete, mqtt::TimePoint) {
  return AfterAck(session_->outbox().OnPubComp(complete.packet_id), "PUBCOMP", complete.packet_id);
}

void ServerConnection::KeepWill(const mqtt::Will& will, mqtt::TimePoint now) {
  mqtt::Publish publish;
  publish.qos = will.qos;
  publish.retain = will.retain;
  publish.properties = will.properties;
  publish.payload = will.payload;
  session_->will = SharedMessage::Copy(core_.budget, publish, will.topic_name, now);
  session_->will_delay = will.properties.Get(property::kWillDelayInterval).value_or(0);
}

}  // namespace mqttrpc::broker
