#include "sys_topics.h"

#include <algorithm>
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
  const auto number = [&](std::string_view topic_name, std::uint64_t value) {
    visit(topic_name, mqtt::ToStd(absl::AlphaNum(value).Piece()));
  };
  const auto sum = [&](std::string_view topic_name, Counter Counters::* counter) {
    number(topic_name, core_.OfAll(counter));
  };
  visit("$SYS/broker/version", "mqttrpc " MQTTRPC_VERSION);
  sum("$SYS/broker/clients/connected", &Counters::connections);
  number("$SYS/broker/clients/disconnected", core_.OfAll([](const Counters& shard) {
    const std::uint64_t connected = shard.connections.value();
    return std::max(shard.sessions.value(), connected) - connected;  // Another shard may be about to change both.
  }));
  sum("$SYS/broker/clients/total", &Counters::sessions);
  sum("$SYS/broker/clients/expired", &Counters::sessions_expired);
  sum("$SYS/broker/connections/refused", &Counters::connections_refused);
  sum("$SYS/broker/subscriptions/count", &Counters::subscriptions);
  number("$SYS/broker/retained messages/count", core_.counters.retained_messages.value());  // All keep the same.
  sum("$SYS/broker/publish/messages/received", &Counters::messages_received);
  sum("$SYS/broker/publish/messages/sent", &Counters::messages_sent);
  number("$SYS/broker/publish/messages/dropped",
         core_.OfAll([](const Counters& shard) { return shard.messages_dropped(); }));
  sum("$SYS/broker/bytes/received", &Counters::bytes_received);
  sum("$SYS/broker/bytes/sent", &Counters::bytes_sent);
  core_.counters.memory_used.Set(core_.budget.used());
  sum("$SYS/broker/memory/used", &Counters::memory_used);
  number("$SYS/broker/memory/limit", core_.budget.limit());
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    const std::string_view name = NameOf(static_cast<DropReason>(i));
    number(absl::StrCat("$SYS/broker/messages/dropped/", mqtt::ToAbsl(name)),
           core_.OfAll([i](const Counters& shard) { return shard.dropped[i].value(); }));
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
    receivers += core_.router.Route(MessageOf(topic_name, value, now), nullptr, Router::Reach::kFigures).matched;
  });
  next_ = receivers == 0 ? mqtt::kNever : now + core_.options.sys_interval;
}

}  // namespace mqttrpc::broker
