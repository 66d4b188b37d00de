// What a connected client may say: PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE,
// PINGREQ, DISCONNECT.
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

// Topic Names that clients do not publish to: the broker's own (4.7.2).
bool IsReserved(std::string_view topic_name) {
  return topic_name == "$SYS" || topic_name.starts_with("$SYS/") || topic_name.starts_with("$share/");
}

}  // namespace

absl::Status ServerConnection::OnPacket(const mqtt::Publish& publish, mqtt::TimePoint now) {
  if (publish.qos == QoS::kExactlyOnce) {
    return mqtt::StatusFrom(ReasonCode::kQoSNotSupported, "QoS is 2; Maximum QoS is 1");  // MQTT-3.2.2-11
  }
  if (publish.retain) {
    return mqtt::StatusFrom(ReasonCode::kRetainNotSupported, "RETAIN is set; Retain Available is 0");  // MQTT-3.2.2-14
  }
  const bool acknowledge = publish.qos == QoS::kAtLeastOnce;
  // Those whose PUBACK has not left are unacknowledged to the client too.
  if (acknowledge && out_.unsent_pub_acks() >= core_.options.receive_maximum) {  // MQTT-3.3.4-7
    return mqtt::StatusFrom(ReasonCode::kReceiveMaximumExceeded,
                            absl::StrCat("more than ", core_.options.receive_maximum, " messages are unacknowledged"));
  }
  if (publish.topic_name.size() > core_.options.maximum_topic_bytes) {
    return mqtt::StatusFrom(ReasonCode::kTopicNameInvalid,
                            absl::StrCat("Topic Name has ", publish.topic_name.size(), " bytes; this broker takes ",
                                         core_.options.maximum_topic_bytes));
  }
  std::string_view topic_name;
  if (absl::Status status = ResolveTopic(publish, topic_name); !status.ok()) return status;
  ++publishes_received_;
  core_.counters.messages_received.Add();
  const ReasonCode code = Route(publish, topic_name, now);
  if (!acknowledge) return absl::OkStatus();
  out_.AppendPubAck(publish.packet_id, code);
  waker_.Wake();
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
    if (aliases_.size() < *alias) aliases_.resize(*alias);
    aliases_[*alias - 1] = std::string(topic_name);
    return absl::OkStatus();
  }
  if (aliases_.size() < *alias || aliases_[*alias - 1].empty()) {
    return mqtt::StatusFrom(ReasonCode::kProtocolError, absl::StrCat("Topic Alias ", *alias, " was never set"));
  }
  topic_name = aliases_[*alias - 1];
  return absl::OkStatus();
}

ReasonCode ServerConnection::Route(const mqtt::Publish& publish, std::string_view topic_name, mqtt::TimePoint now) {
  if (IsReserved(topic_name)) return ReasonCode::kNotAuthorized;
  const MessageRef message = SharedMessage::Copy(core_.budget, publish, topic_name, now);
  const Router::Result result = core_.router.Route(message, this);
  if (result.matched == 0) return ReasonCode::kNoMatchingSubscribers;
  // Nobody had room: the publisher learns it, rather than to wait for an answer.
  if (result.dropped == result.matched) return ReasonCode::kQuotaExceeded;
  return ReasonCode::kSuccess;
}

// An identifier that is not ours to end is ignored: no harm was done, and the
// specification gives no Reason Code for it.
absl::Status ServerConnection::OnPacket(const mqtt::PubAck& ack, mqtt::TimePoint) {
  if (out_.Acknowledge(ack.packet_id)) {
    waker_.Wake();  // The window has room (MQTT-3.3.4-9).
  } else if (core_.Logs(LogLevel::kDebug)) {
    core_.Log(LogLevel::kDebug, "event=unexpected_puback peer=", peer_, " packet_id=", ack.packet_id);
  }
  return absl::OkStatus();
}

ReasonCode ServerConnection::AddSubscription(const mqtt::SubscribeEntry& entry, std::uint32_t identifier) {
  if (entry.topic_filter.size() > core_.options.maximum_topic_bytes) return ReasonCode::kTopicFilterInvalid;
  if (subscription_count() >= core_.options.maximum_subscriptions && !HasSubscription(entry.topic_filter)) {
    return ReasonCode::kQuotaExceeded;
  }
  SubscriptionOptions options;
  options.qos = std::min(entry.qos, QoS::kAtLeastOnce);  // Our maximum; asking for 2 is no error (MQTT-3.2.2-10).
  options.no_local = entry.no_local;
  options.retain_as_published = entry.retain_as_published;
  options.identifier = identifier;
  core_.router.subscriptions().Subscribe(*this, entry.topic_filter, options);
  return static_cast<ReasonCode>(options.qos);  // Granted QoS (MQTT-3.8.4-7).
}

absl::Status ServerConnection::OnPacket(const mqtt::Subscribe& subscribe, mqtt::TimePoint) {
  const auto identifier = subscribe.properties.Get(property::kSubscriptionIdentifier).value_or(0);
  mqtt::SubAck ack;
  ack.packet_id = subscribe.packet_id;  // MQTT-3.8.4-2
  ack.reason_codes.reserve(subscribe.entries.size());
  for (const mqtt::SubscribeEntry& entry : subscribe.entries) {  // MQTT-3.8.4-5, MQTT-3.8.4-6
    ack.reason_codes.push_back(AddSubscription(entry, identifier));
  }
  core_.counters.subscriptions.Set(core_.router.subscriptions().size());
  const bool refused = std::any_of(ack.reason_codes.begin(), ack.reason_codes.end(), mqtt::IsError);
  AppendWithReason(std::move(ack),                        // MQTT-3.8.4-1
                   refused && terms_.problem_information  // MQTT-3.1.2-29
                       ? absl::StrCat("this broker takes ", core_.options.maximum_subscriptions,
                                      " subscriptions from a client, and Topic Filters of ",
                                      core_.options.maximum_topic_bytes, " bytes")
                       : std::string());
  waker_.Wake();
  return absl::OkStatus();
}

absl::Status ServerConnection::OnPacket(const mqtt::Unsubscribe& unsubscribe, mqtt::TimePoint) {
  mqtt::UnsubAck ack;
  ack.packet_id = unsubscribe.packet_id;  // MQTT-3.10.4-5
  ack.reason_codes.reserve(unsubscribe.topic_filters.size());
  for (const std::string_view topic_filter : unsubscribe.topic_filters) {  // MQTT-3.10.4-6
    const bool removed = core_.router.subscriptions().Unsubscribe(*this, topic_filter);
    ack.reason_codes.push_back(removed ? ReasonCode::kSuccess : ReasonCode::kNoSubscriptionExisted);
  }
  core_.counters.subscriptions.Set(core_.router.subscriptions().size());
  AppendWithReason(std::move(ack), {});  // MQTT-3.10.4-4
  waker_.Wake();
  return absl::OkStatus();
}

absl::Status ServerConnection::OnPacket(const mqtt::PingReq&, mqtt::TimePoint) {
  waker_.Wake();
  return out_.Append(mqtt::PingResp());  // MQTT-3.12.4-1
}

absl::Status ServerConnection::OnPacket(const mqtt::Disconnect& disconnect, mqtt::TimePoint now) {
  const auto expiry = disconnect.properties.Get(property::kSessionExpiryInterval);
  if (expiry.value_or(0) != 0 && terms_.session_expiry == 0) {  // 3.14.2.2.2
    return mqtt::StatusFrom(ReasonCode::kProtocolError, "Session Expiry Interval was 0 in CONNECT");
  }
  if (disconnect.reason_code == ReasonCode::kNormalDisconnection) will_ = nullptr;  // MQTT-3.14.4-3
  Finish(mqtt::StatusFrom(disconnect.reason_code, "the client's DISCONNECT"), now);
  return absl::OkStatus();
}

void ServerConnection::KeepWill(const mqtt::Will& will) {
  will_ = std::make_unique<mqtt::Message>(std::string(will.topic_name), std::string(will.payload), will.qos);
  will_->properties = mqtt::Properties(will.properties);
}

// At once, whatever its delay: the session ends with the connection (3.1.3.2.2).
void ServerConnection::PublishWill(mqtt::TimePoint now) {
  const std::unique_ptr<mqtt::Message> will = std::move(will_);
  if (will == nullptr) return;
  mqtt::Publish publish;
  publish.qos = will->qos;
  publish.properties = will->properties;
  publish.payload = will->payload;
  Route(publish, will->topic_name, now);  // MQTT-3.1.2-8
}

}  // namespace mqttrpc::broker
