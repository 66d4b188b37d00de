// What a connected client may say besides messages: SUBSCRIBE, UNSUBSCRIBE,
// PINGREQ, DISCONNECT (MQTT 3.8 to 3.14).
#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/status.h"
#include "server_connection.h"

namespace mqttrpc::broker {

using mqtt::ReasonCode;
namespace property = mqtt::property;

namespace {

// A Topic Filter's handling, in the units of BrokerCore::work. Each level may be a node.
std::size_t WorkOf(std::string_view topic_filter) {
  constexpr std::size_t kWorkPerFilter = 4;
  return kWorkPerFilter + static_cast<std::size_t>(std::count(topic_filter.begin(), topic_filter.end(), '/'));
}

}  // namespace

template <typename Other>
absl::Status ServerConnection::OnPacket(const Other& packet, mqtt::TimePoint) {
  return mqtt::StatusFrom(ReasonCode::kProtocolError,
                          absl::StrCat("unexpected ", mqtt::ToAbsl(mqtt::NameOf(mqtt::TypeOf(packet)))));
}

absl::Status ServerConnection::HandlePacket(const mqtt::Packet& packet, mqtt::TimePoint now) {
  // MQTT-3.1.4-6: of a client that is not accepted yet, only these two.
  if (state_ == State::kAuthenticating && !std::holds_alternative<mqtt::Auth>(packet) &&
      !std::holds_alternative<mqtt::Disconnect>(packet)) {
    return mqtt::StatusFrom(ReasonCode::kProtocolError, "neither AUTH nor DISCONNECT during authentication");
  }
  return std::visit([&](const auto& each) { return OnPacket(each, now); }, packet);
}

absl::Status ServerConnection::OnPacket(const mqtt::Connect&, mqtt::TimePoint) {
  return mqtt::StatusFrom(ReasonCode::kProtocolError, "a second CONNECT");  // MQTT-3.1.0-2
}

ReasonCode ServerConnection::AddSubscription(const mqtt::SubscribeEntry& entry, std::uint32_t identifier,
                                             bool& is_new) {
  if (entry.topic_filter.size() > core_.options.maximum_topic_bytes) return ReasonCode::kTopicFilterInvalid;
  is_new = !core_.router.subscriptions().Has(*session_, entry.topic_filter);
  if (is_new &&
      (session_->subscription_count() >= core_.options.maximum_subscriptions ||
       session_->subscription_bytes() >= core_.options.maximum_subscription_bytes ||
       core_.budget.RefusesSubscription(core_.router.subscriptions().bytes_of_all(), session_->subscription_bytes()))) {
    return ReasonCode::kQuotaExceeded;
  }
  SubscriptionOptions options;
  options.qos = std::min(entry.qos, core_.options.maximum_qos);  // Asking for more is no error (MQTT-3.2.2-10).
  options.no_local = entry.no_local;
  options.retain_as_published = entry.retain_as_published;
  options.identifier = identifier;
  core_.router.subscriptions().Subscribe(*session_, entry.topic_filter, options);
  core_.sys.OnSubscribed(entry.topic_filter);
  return static_cast<ReasonCode>(options.qos);  // Granted QoS (MQTT-3.8.4-7).
}

absl::Status ServerConnection::OnPacket(const mqtt::Subscribe& subscribe, mqtt::TimePoint now) {
  const auto identifier = subscribe.properties.Get(property::kSubscriptionIdentifier).value_or(0);
  if (core_.neighbours != nullptr) core_.neighbours->CatchUp();
  mqtt::SubAck ack;
  ack.packet_id = subscribe.packet_id;  // MQTT-3.8.4-2
  ack.reason_codes.reserve(subscribe.entries.size());
  bool shared = false;
  for (const mqtt::SubscribeEntry& entry : subscribe.entries) {  // MQTT-3.8.4-5, MQTT-3.8.4-6
    bool is_new = false;
    core_.work += WorkOf(entry.topic_filter);
    const ReasonCode code = AddSubscription(entry, identifier, is_new);
    ack.reason_codes.push_back(code);
    const bool is_share = entry.topic_filter.starts_with("$share/");
    shared = shared || is_share;
    const bool wants_retained = !is_share && (entry.retain_handling == 0 || (entry.retain_handling == 1 && is_new));
    if (mqtt::IsError(code) || !wants_retained) continue;  // MQTT-3.3.1-9 to MQTT-3.3.1-11
    SubscriptionOptions granted;
    granted.qos = static_cast<mqtt::QoS>(code);
    granted.identifier = identifier;
    if (core_.work < BrokerCore::kWorkPerTurn) {  // Else they come with the next interval.
      core_.work += core_.sys.Match(entry.topic_filter, now, [&](const MessageRef& message) {
        session_->Deliver(RetainedDelivery(message, granted));
      });
    }
    session_->AddRetainedScan(entry.topic_filter, granted);
  }
  // What was retained by now, if it is not too much at once; see Collect().
  core_.DeliverRetained(*session_, now);
  core_.counters.subscriptions.Set(core_.router.subscriptions().size());
  const bool refused = std::any_of(ack.reason_codes.begin(), ack.reason_codes.end(), mqtt::IsError);
  AnswerWithReason(ack,                                   // MQTT-3.8.4-1
                   refused && terms_.problem_information  // MQTT-3.1.2-29
                       ? absl::StrCat("this broker takes ", core_.options.maximum_subscriptions,
                                      " subscriptions from a client, Topic Filters of ",
                                      core_.options.maximum_topic_bytes, " bytes, and what its memory allows")
                       : std::string());
  if (shared) {
    core_.work += session_->shares().size();
    core_.router.Refill(*session_);
  }
  return absl::OkStatus();
}

absl::Status ServerConnection::OnPacket(const mqtt::Unsubscribe& unsubscribe, mqtt::TimePoint) {
  mqtt::UnsubAck ack;
  ack.packet_id = unsubscribe.packet_id;  // MQTT-3.10.4-5
  ack.reason_codes.reserve(unsubscribe.topic_filters.size());
  for (const std::string_view topic_filter : unsubscribe.topic_filters) {  // MQTT-3.10.4-6
    core_.work += WorkOf(topic_filter);
    session_->RemoveRetainedScan(topic_filter);
    const bool removed = core_.router.subscriptions().Unsubscribe(*session_, topic_filter);
    ack.reason_codes.push_back(removed ? ReasonCode::kSuccess : ReasonCode::kNoSubscriptionExisted);
  }
  core_.counters.subscriptions.Set(core_.router.subscriptions().size());
  // Behind the messages of the same write: whoever reads it may forget who took those.
  Appended(writer_.AppendBehindMessages(ack));  // MQTT-3.10.4-4
  return absl::OkStatus();
}

absl::Status ServerConnection::OnPacket(const mqtt::PingReq&, mqtt::TimePoint) {
  Answer(mqtt::PingResp());  // MQTT-3.12.4-1
  return absl::OkStatus();
}

absl::Status ServerConnection::OnPacket(const mqtt::Disconnect& disconnect, mqtt::TimePoint now) {
  if (state_ == State::kAuthenticating) {
    Finish(absl::CancelledError("the client gave up its authentication"), now);
    return absl::OkStatus();
  }
  if (const auto expiry = disconnect.properties.Get(property::kSessionExpiryInterval)) {
    if (*expiry != 0 && asked_expiry_ == 0) {  // 3.14.2.2.2
      return mqtt::StatusFrom(ReasonCode::kProtocolError, "Session Expiry Interval was 0 in CONNECT");
    }
    // What was refused at CONNECT stays refused.
    if (terms_.session_expiry != 0) session_->expiry = GrantedExpiry(*expiry, core_.options);
  }
  if (disconnect.reason_code == ReasonCode::kNormalDisconnection) session_->will = MessageRef();  // MQTT-3.14.4-3
  Finish(mqtt::StatusFrom(disconnect.reason_code, "the client's DISCONNECT"), now);
  return absl::OkStatus();
}

}  // namespace mqttrpc::broker
