#include "subscriber.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "client_log.h"
#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::mqtt {
namespace {

absl::Status CheckSubscription(const Subscription& subscription) {
  if (absl::Status status = CheckTopicFilter(subscription.topic_filter); !status.ok()) return status;
  if (subscription.retain_handling > 2) {
    return absl::InvalidArgumentError(absl::StrCat("Retain Handling is ", int{subscription.retain_handling}, "; 0-2"));
  }
  if (subscription.no_local && ParseSharedFilter(subscription.topic_filter).has_value()) {
    return absl::InvalidArgumentError("No Local on a shared subscription");  // MQTT-3.8.3-4
  }
  return absl::OkStatus();
}

absl::Status Refusal(ReasonCode code, std::string_view what, std::string_view topic_filter, PropertiesView properties) {
  const std::string_view reason = properties.Get(property::kReasonString).value_or("");
  return StatusFrom(code,
                    absl::StrCat(ToAbsl(what), " ", ToAbsl(topic_filter), reason.empty() ? "" : ": ", ToAbsl(reason)));
}

}  // namespace

absl::Status Subscriber::CheckRoom() const {
  if (requests_.size() < options_.maximum_queued_messages) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("client queue is full: ", requests_.size(), " requests"));
}

void Subscriber::Add(SubscribeOperation operation) {
  absl::Status status = CheckSubscription(operation.subscription);
  if (status.ok() && operation.handler == nullptr) status = absl::InvalidArgumentError("subscription has no handler");
  if (status.ok()) status = CheckRoom();
  if (!status.ok()) return work_.Finish(operation.done, std::move(status));
  requests_.emplace_back(std::move(operation));
}

void Subscriber::Add(UnsubscribeOperation operation) {
  absl::Status status = CheckTopicFilter(operation.topic_filter);
  if (status.ok()) status = CheckRoom();
  if (!status.ok()) return work_.Finish(operation.done, std::move(status));
  requests_.emplace_back(std::move(operation));
}

void Subscriber::Pump() {
  while (!requests_.empty()) {
    if (!std::visit([this](auto& operation) { return Send(operation); }, requests_.front())) return;
    requests_.pop_front();
  }
}

absl::Status Subscriber::CheckAgainstLimits(const Subscription& subscription) const {
  if (!work_.limits.shared_available && ParseSharedFilter(subscription.topic_filter).has_value()) {
    return StatusFrom(ReasonCode::kSharedSubscriptionsNotSupported, subscription.topic_filter);
  }
  if (!work_.limits.wildcards_available && HasWildcard(subscription.topic_filter)) {
    return StatusFrom(ReasonCode::kWildcardSubscriptionsNotSupported, subscription.topic_filter);
  }
  return absl::OkStatus();
}

absl::Status Subscriber::Encode(const Packet& packet) {
  const std::size_t before = work_.out.size();
  if (absl::Status status = EncodePacket(packet, Sender::kClient, work_.out); !status.ok()) return status;
  const std::size_t size = work_.out.size() - before;
  if (size <= work_.limits.maximum_packet_size) return absl::OkStatus();
  work_.out.resize(before);  // MQTT-3.2.2-15
  return StatusFrom(ReasonCode::kPacketTooLarge,
                    absl::StrCat("packet is ", size, " bytes; broker takes ", work_.limits.maximum_packet_size));
}

absl::Status Subscriber::EncodeSubscribe(const Subscription& subscription, std::uint32_t identifier,
                                         PacketId packet_id) {
  if (absl::Status status = CheckAgainstLimits(subscription); !status.ok()) return status;
  Properties properties = subscription.properties;
  properties.Remove(PropertyId::kSubscriptionIdentifier);  // Ours, for finding the handler.
  if (work_.limits.identifiers_available) properties.Add(property::kSubscriptionIdentifier, identifier);
  SubscribeEntry entry;
  entry.topic_filter = subscription.topic_filter;
  entry.qos = subscription.qos;
  entry.no_local = subscription.no_local;
  entry.retain_as_published = subscription.retain_as_published;
  entry.retain_handling = subscription.retain_handling;
  Subscribe subscribe;
  subscribe.packet_id = packet_id;
  subscribe.properties = properties;
  subscribe.entries.push_back(entry);
  return Encode(Packet(std::move(subscribe)));
}

Subscriber::Entry& Subscriber::EntryFor(const SubscribeOperation& operation) {
  const std::string& topic_filter = operation.subscription.topic_filter;
  const auto [found, added] = entries_.try_emplace(topic_filter);
  Entry& entry = found->second;
  if (added) {
    entry.subscription = operation.subscription;
    const std::optional<SharedFilter> shared = ParseSharedFilter(topic_filter);
    entry.match_filter = shared.has_value() ? std::string(shared->topic_filter) : topic_filter;
    do {
      last_identifier_ = last_identifier_ % kMaximumVariableByteInteger + 1;
    } while (!by_identifier_.try_emplace(last_identifier_, &entry).second);
    entry.identifier = last_identifier_;
  }
  // Messages may arrive before the SUBACK (3.8.4).
  if (!entry.granted) entry.handler = operation.handler;
  return entry;
}

bool Subscriber::Release(const std::string& topic_filter, PacketId answered) {
  std::shared_ptr<Handler> next;
  work_.in_flight.ForEach([&](PacketId packet_id, Pending& pending) {
    const auto* subscribe = As<SubscribeOperation>(&pending);
    if (subscribe == nullptr || packet_id == answered || subscribe->subscription.topic_filter != topic_filter) return;
    if (subscribe->handler != nullptr) next = subscribe->handler;
  });
  const auto found = entries_.find(topic_filter);
  if (next == nullptr || found == entries_.end()) {
    Erase(topic_filter);
    return true;
  }
  found->second.handler = std::move(next);
  found->second.granted = false;
  return false;
}

void Subscriber::Erase(const std::string& topic_filter) {
  const auto found = entries_.find(topic_filter);
  if (found == entries_.end()) return;
  by_identifier_.erase(found->second.identifier);
  entries_.erase(found);
}

// False if all Packet Identifiers are in use. Takes or ends the operation else.
bool Subscriber::Send(SubscribeOperation& operation) {
  const std::optional<PacketId> packet_id = work_.in_flight.Add(Pending());
  if (!packet_id.has_value()) return false;
  const Entry& entry = EntryFor(operation);
  if (absl::Status status = EncodeSubscribe(operation.subscription, entry.identifier, *packet_id); !status.ok()) {
    if (!entry.granted) Erase(operation.subscription.topic_filter);
    work_.in_flight.Remove(*packet_id);
    work_.Finish(operation.done, std::move(status));
    return true;
  }
  work_.Sent(*packet_id, operation.sent_at);
  *work_.in_flight.Find(*packet_id) = std::make_unique<SubscribeOperation>(std::move(operation));
  return true;
}

bool Subscriber::Send(UnsubscribeOperation& operation) {
  const std::optional<PacketId> packet_id = work_.in_flight.Add(Pending());
  if (!packet_id.has_value()) return false;
  Unsubscribe unsubscribe;
  unsubscribe.packet_id = *packet_id;
  unsubscribe.topic_filters.push_back(operation.topic_filter);
  if (absl::Status status = Encode(Packet(std::move(unsubscribe))); !status.ok()) {
    work_.in_flight.Remove(*packet_id);
    work_.Finish(operation.done, std::move(status));
    return true;
  }
  work_.Sent(*packet_id, operation.sent_at);
  *work_.in_flight.Find(*packet_id) = std::make_unique<UnsubscribeOperation>(std::move(operation));
  return true;
}

absl::Status Subscriber::OnSubAck(const SubAck& ack) {
  Pending* pending = work_.in_flight.Find(ack.packet_id);
  if (pending == nullptr) return absl::OkStatus();
  if (ack.reason_codes.size() != 1) {  // MQTT-3.8.4-6
    return StatusFrom(ReasonCode::kProtocolError, "SUBACK for another number of Topic Filters");
  }
  const ReasonCode code = ack.reason_codes.front();
  if (const auto* again = As<Resubscription>(pending)) {
    Resubscribed(*again, code, ack.properties);
  } else if (auto* operation = As<SubscribeOperation>(pending)) {
    const std::string& topic_filter = operation->subscription.topic_filter;
    if (!IsError(code)) {
      Granted(*operation, ack.packet_id);
      work_.Finish(operation->done, code);
    } else {
      const auto found = entries_.find(topic_filter);
      if (found != entries_.end() && !found->second.granted) Release(topic_filter, ack.packet_id);
      work_.Finish(operation->done, Refusal(code, "subscribe to", topic_filter, ack.properties));
    }
  } else {
    return StatusFrom(ReasonCode::kProtocolError, "SUBACK for a packet that is no SUBSCRIBE");
  }
  work_.in_flight.Remove(ack.packet_id);
  return absl::OkStatus();
}

void Subscriber::Granted(SubscribeOperation& operation, PacketId answered) {
  const std::string& topic_filter = operation.subscription.topic_filter;
  if (operation.handler == nullptr) {  // Cancelled meanwhile: take a new one back.
    const auto found = entries_.find(topic_filter);
    if (found != entries_.end() && found->second.granted) return;
    if (Release(topic_filter, answered)) requests_.emplace_back(UnsubscribeOperation(0, topic_filter, {}));
    return;
  }
  Entry& entry = EntryFor(operation);
  entry.handler = operation.handler;
  entry.subscription = operation.subscription;
  entry.granted = true;
  entry.in_session = true;
}

void Subscriber::Resubscribed(const Resubscription& again, ReasonCode code, PropertiesView properties) {
  --resubscriptions_;
  if (IsError(code)) return TellLost(again.topic_filter, Refusal(code, "subscribe to", again.topic_filter, properties));
  if (const auto found = entries_.find(again.topic_filter); found != entries_.end()) found->second.in_session = true;
}

void Subscriber::TellLost(const std::string& topic_filter, absl::Status why) {
  Log(log_, LogLevel::kWarning, [&] {
    return absl::StrCat("event=subscription_lost topic_filter=", Quoted(topic_filter),
                        " why=", Quoted(ToStd(why.message())));
  });
  if (options_.subscription_lost) work_.events.push(SubscriptionLost{topic_filter, std::move(why)});
}

absl::Status Subscriber::OnUnsubAck(const UnsubAck& ack) {
  Pending* pending = work_.in_flight.Find(ack.packet_id);
  if (pending == nullptr) return absl::OkStatus();
  auto* operation = As<UnsubscribeOperation>(pending);
  if (operation == nullptr)
    return StatusFrom(ReasonCode::kProtocolError, "UNSUBACK for a packet that is no UNSUBSCRIBE");
  if (ack.reason_codes.size() != 1) {
    return StatusFrom(ReasonCode::kProtocolError, "UNSUBACK for another number of Topic Filters");
  }
  const ReasonCode code = ack.reason_codes.front();
  if (IsError(code)) {
    work_.Finish(operation->done, Refusal(code, "unsubscribe from", operation->topic_filter, ack.properties));
  } else {
    Release(operation->topic_filter, ack.packet_id);
    work_.Finish(operation->done, code);
  }
  work_.in_flight.Remove(ack.packet_id);
  return absl::OkStatus();
}

void Subscriber::OnConnectionLost() {
  std::vector<PacketId> unanswered;
  work_.in_flight.ForEach([&](PacketId packet_id, Pending& pending) {
    if (As<PublishOperation>(&pending) == nullptr) unanswered.push_back(packet_id);
  });
  // Requests are no part of the session: they start again, in their old order.
  std::list<Request> again;
  for (const PacketId packet_id : unanswered) {
    Pending pending = std::move(*work_.in_flight.Remove(packet_id));
    if (auto* subscribe = As<SubscribeOperation>(&pending)) {
      // The broker may have granted it, and so send messages before it is asked again:
      // the entry stays for them, unless nobody wants it any more.
      if (subscribe->done) again.emplace_back(std::move(*subscribe));
    } else if (auto* unsubscribe = As<UnsubscribeOperation>(&pending)) {
      if (unsubscribe->done) again.emplace_back(std::move(*unsubscribe));
    }
  }
  requests_.splice(requests_.begin(), again);
  resubscriptions_ = 0;
  EraseUnwanted();
}

// Entries that were never granted, and that no request asks for.
void Subscriber::EraseUnwanted() {
  std::vector<std::string> unwanted;
  for (const auto& [topic_filter, entry] : entries_) {
    if (entry.granted) continue;
    const auto asks = [&, &filter = topic_filter](const SubscribeOperation* operation) {
      return operation != nullptr && operation->done && operation->subscription.topic_filter == filter;
    };
    bool wanted = std::any_of(requests_.begin(), requests_.end(),
                              [&](const Request& request) { return asks(std::get_if<SubscribeOperation>(&request)); });
    work_.in_flight.ForEach(
        [&](PacketId, Pending& pending) { wanted = wanted || asks(As<SubscribeOperation>(&pending)); });
    if (!wanted) unwanted.push_back(topic_filter);
  }
  for (const std::string& topic_filter : unwanted) Erase(topic_filter);
}

void Subscriber::OnSession(bool session_present) {
  for (auto& [topic_filter, entry] : entries_) {
    if (!session_present) entry.in_session = false;
    if (entry.in_session || !entry.granted) continue;
    const std::optional<PacketId> packet_id = work_.in_flight.Add(std::make_unique<Resubscription>(topic_filter));
    const absl::Status status = packet_id.has_value()
                                    ? EncodeSubscribe(entry.subscription, entry.identifier, *packet_id)
                                    : absl::ResourceExhaustedError("no Packet Identifier is free");
    if (status.ok()) {
      work_.Sent(*packet_id, As<Resubscription>(work_.in_flight.Find(*packet_id))->sent_at);
      ++resubscriptions_;
      continue;
    }
    if (packet_id.has_value()) work_.in_flight.Remove(*packet_id);
    TellLost(topic_filter, status);
  }
}

bool Subscriber::Cancel(OperationId id) {
  const auto queued = std::find_if(requests_.begin(), requests_.end(), [&](const Request& request) {
    return std::visit([&](const auto& operation) { return operation.id == id; }, request);
  });
  if (queued != requests_.end()) {
    std::visit([&](auto& operation) { work_.Finish(operation.done, absl::CancelledError("request cancelled")); },
               *queued);
    requests_.erase(queued);
    EraseUnwanted();
    return true;
  }
  bool cancelled = false;
  work_.in_flight.ForEach([&](PacketId, Pending& pending) {
    if (auto* subscribe = As<SubscribeOperation>(&pending); subscribe != nullptr && subscribe->id == id) {
      cancelled = true;
      const auto found = entries_.find(subscribe->subscription.topic_filter);
      if (found != entries_.end() && found->second.handler == subscribe->handler) found->second.handler = nullptr;
      subscribe->handler = nullptr;
      work_.Finish(subscribe->done, absl::CancelledError("subscribe cancelled"));
    } else if (auto* unsubscribe = As<UnsubscribeOperation>(&pending);
               unsubscribe != nullptr && unsubscribe->id == id) {
      cancelled = true;
      work_.Finish(unsubscribe->done, absl::CancelledError("unsubscribe cancelled"));
    }
  });
  return cancelled;
}

void Subscriber::CancelAll(const absl::Status& why) {
  for (Request& request : requests_) {
    std::visit([&](auto& operation) { work_.Finish(operation.done, why); }, request);
  }
  requests_.clear();
  EraseUnwanted();
}

void Subscriber::Match(const Publish& publish, std::vector<std::shared_ptr<Handler>>& receivers) const {
  const auto take = [&](const Entry& entry) {
    if (entry.handler == nullptr) return;
    if (entry.match_filter != publish.topic_name && !Matches(entry.match_filter, publish.topic_name)) return;
    // Once, however often a broker names its identifier.
    if (std::find(receivers.begin(), receivers.end(), entry.handler) == receivers.end()) {
      receivers.push_back(entry.handler);
    }
  };
  // An identifier may be of a session from before our time: the filter decides.
  publish.properties.ForEach([&](const PropertyView& each) {
    if (each.id != PropertyId::kSubscriptionIdentifier) return;
    if (const auto found = by_identifier_.find(each.number); found != by_identifier_.end()) take(*found->second);
  });
  if (!receivers.empty()) return;
  for (const auto& [topic_filter, entry] : entries_) take(entry);
  if (!receivers.empty()) return;
  // In a session of an earlier process, messages come before we could ask for them.
  for (const Request& request : requests_) {
    const auto* subscribe = std::get_if<SubscribeOperation>(&request);
    if (subscribe == nullptr) continue;
    const std::string& topic_filter = subscribe->subscription.topic_filter;
    const std::optional<SharedFilter> shared = ParseSharedFilter(topic_filter);
    if (Matches(shared.has_value() ? shared->topic_filter : topic_filter, publish.topic_name)) {
      receivers.push_back(subscribe->handler);
    }
  }
}

}  // namespace mqttrpc::mqtt
