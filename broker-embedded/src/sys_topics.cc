#include "sys_topics.h"

#include <string>

#include <absl/strings/str_cat.h>

#include "broker_core.h"
#include "mqttrpc/mqtt/status.h"
#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::broker {
namespace {

bool IsOurs(std::string_view topic_filter) { return topic_filter.starts_with("$SYS/"); }

}  // namespace

void SysTopics::ForEach(absl::FunctionRef<void(std::string_view, std::string_view)> visit) const {
  const Counters& counters = core_.counters;
  const auto number = [&](std::string_view topic_name, std::uint64_t value) {
    visit(topic_name, mqtt::ToStd(absl::AlphaNum(value).Piece()));
  };
  visit("$SYS/broker/version", "mqttrpc " MQTTRPC_VERSION);
  number("$SYS/broker/clients/connected", counters.connections.value());
  number("$SYS/broker/clients/disconnected", counters.sessions.value() - counters.connections.value());
  number("$SYS/broker/clients/total", counters.sessions.value());
  number("$SYS/broker/clients/expired", counters.sessions_expired.value());
  number("$SYS/broker/connections/refused", counters.connections_refused.value());
  number("$SYS/broker/subscriptions/count", counters.subscriptions.value());
  number("$SYS/broker/retained messages/count", counters.retained_messages.value());
  number("$SYS/broker/publish/messages/received", counters.messages_received.value());
  number("$SYS/broker/publish/messages/sent", counters.messages_sent.value());
  number("$SYS/broker/publish/messages/dropped", counters.messages_dropped());
  number("$SYS/broker/bytes/received", counters.bytes_received.value());
  number("$SYS/broker/bytes/sent", counters.bytes_sent.value());
  number("$SYS/broker/memory/used", core_.budget.used());
  number("$SYS/broker/memory/limit", core_.budget.limit());
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    const std::string_view name = NameOf(static_cast<DropReason>(i));
    number(absl::StrCat("$SYS/broker/messages/dropped/", mqtt::ToAbsl(name)), counters.dropped[i].value());
  }
}

MessageRef SysTopics::MessageOf(std::string_view topic_name, std::string_view value, mqtt::TimePoint now) const {
  mqtt::Publish publish;
  publish.payload = value;
  return SharedMessage::Copy(core_.budget, publish, topic_name, now);
}

std::size_t SysTopics::Match(std::string_view topic_filter, mqtt::TimePoint now,
                             absl::FunctionRef<void(const MessageRef&)> visit) {
  if (core_.options.sys_interval.count() == 0 || !IsOurs(topic_filter)) return 0;
  std::size_t looked_at = 0;
  ForEach([&](std::string_view topic_name, std::string_view value) {
    ++looked_at;
    if (mqtt::Matches(topic_filter, topic_name)) visit(MessageOf(topic_name, value, now));
  });
  return looked_at;
}

void SysTopics::OnSubscribed(std::string_view topic_filter) {
  const auto shared = mqtt::ParseSharedFilter(topic_filter);
  const bool ours = IsOurs(shared.has_value() ? shared->topic_filter : topic_filter);
  if (ours && core_.options.sys_interval.count() != 0 && next_ == mqtt::kNever) {
    next_ = core_.now + core_.options.sys_interval;
  }
}

void SysTopics::OnDeadline(mqtt::TimePoint now) {
  if (now < next_) return;
  std::size_t receivers = 0;
  ForEach([&](std::string_view topic_name, std::string_view value) {
    receivers += core_.router.Route(MessageOf(topic_name, value, now), nullptr).matched;
  });
  next_ = receivers == 0 ? mqtt::kNever : now + core_.options.sys_interval;
}

}  // namespace mqttrpc::broker
