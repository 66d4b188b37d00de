#include "timeline.h"

#include <algorithm>
#include <map>
#include <optional>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "mqttrpc/mqtt/topic.h"

namespace mqttrpc::explorer {
namespace {

using Kind = Event::Kind;

std::string_view NameOf(Kind kind) {
  switch (kind) {
    case Kind::kPublish: return "publishes";
    case Kind::kSending: return "sends";
    case Kind::kPublished: return "is told the end of";
    case Kind::kSent: return "is sent";
    case Kind::kDelivered: return "handles";
    case Kind::kSubscribe: return "subscribes";
    case Kind::kSubscribed: return "is subscribed";
    case Kind::kGivenUp: return "gives up";
    case Kind::kUnsubscribe: return "unsubscribes";
    case Kind::kUnsubscribed: return "is unsubscribed";
    case Kind::kConnect: return "connects";
    case Kind::kConnected: return "is connected";
    case Kind::kGoodbye: return "says goodbye";
    case Kind::kDisconnected: return "is disconnected";
    case Kind::kQuiet: return "quiet";
  }
  return "?";
}

}  // namespace

std::string At(const Event& event) {
  return absl::StrFormat("at %.3fs", std::chrono::duration<double>(event.time).count());
}

std::string Describe(const History& history, int message) {
  const MessagePlan& plan = history.messages[message];
  return absl::StrCat("m", message, " of ", history.clients[plan.publisher].name, " to ", plan.topic, " (qos ",
                      static_cast<int>(plan.qos), plan.retain ? ", retain)" : ")");
}

std::string ToString(const History& history, const Event& event) {
  std::string line = absl::StrFormat("%.3fs ", std::chrono::duration<double>(event.time).count());
  if (event.client >= 0) absl::StrAppend(&line, history.clients[event.client].name, " ");
  line.append(NameOf(event.kind));
  if (event.message >= 0) absl::StrAppend(&line, " m", event.message);
  if (!event.text.empty()) absl::StrAppend(&line, " ", event.text);
  if (event.kind == Kind::kPublished) line += event.good ? " good" : " bad";
  if (event.kind == Kind::kConnected) line += event.session_present ? " session" : " no session";
  return line;
}

std::vector<std::string> Check(const History& history) {
  const Timeline timeline(history);
  std::vector<std::string> findings;
  CheckDelivery(timeline, findings);
  CheckShared(timeline, findings);
  CheckSessions(timeline, findings);
  CheckWills(timeline, findings);
  CheckRetained(timeline, findings);
  return findings;
}

Timeline::Timeline(const History& history_in)
    : history(history_in), messages(history.messages.size()), by_client_(history.clients.size()) {
  for (Index i = 0; i < history.events.size(); ++i) {
    const Event& event = history.events[i];
    if (event.client >= 0) by_client_[event.client].push_back(i);
    if (event.kind == Kind::kQuiet) quiet_.push_back(i);
    if (event.message < 0) continue;
    MessageTimeline& message = messages[event.message];
    if (event.kind == Kind::kPublish) message.call = i;
    if (event.kind == Kind::kSending && message.first_sending == kNone) message.first_sending = i;
    if (event.kind == Kind::kPublished) {
      message.done = i;
      message.taken = event.good;
    }
    if (event.kind == Kind::kSent) message.sent.push_back(i);
    if (event.kind == Kind::kDelivered) message.deliveries.push_back(i);
  }
  for (int client = 0; client < static_cast<int>(history.clients.size()); ++client) AddSubscriptions(client);
}

void Timeline::End(Held& held_in, Index at) { held_in.to = std::min(held_in.to, at); }

// Plays the client's session: what ends it, ends its subscriptions.
void Timeline::AddSubscriptions(int client) {
  const std::uint32_t wanted = history.clients[client].session_expiry;
  std::uint32_t expiry = wanted;               // At least.
  std::map<std::string, std::size_t> open;     // By filter: index in `held`.
  std::map<std::string, std::uint16_t> asked;  // By filter: the last SUBSCRIBE, 0 if UNSUBSCRIBE followed.
  std::optional<Index> ended;                  // The last connection; nothing while there is one.
  std::uint64_t current = 0;
  const auto end_all = [&](Index where) {
    for (const auto& [filter, index] : open) End(held[index], where);
    open.clear();
  };
  // The first event at which a session without a connection may be over.
  const auto session_end = [&](Index limit) {
    if (!ended.has_value()) return limit;
    const mqtt::Duration due = at(*ended).time + std::chrono::seconds(expiry);
    Index i = *ended;
    while (i < limit && at(i).time < due) ++i;
    return i;
  };
  for (const Index i : by_client_[client]) {
    const Event& event = at(i);
    switch (event.kind) {
      case Kind::kConnected:
        if (!event.session_present) end_all(session_end(i));
        ended.reset();
        expiry = wanted;
        current = event.connection;
        break;
      case Kind::kGoodbye:
        if (event.connection == current) expiry = std::min(expiry, event.seconds.value_or(expiry));
        break;
      case Kind::kDisconnected:
        if (event.connection == current) ended = i;
        break;
      case Kind::kSubscribed: {
        if (event.connection != current || asked[event.text] != event.packet_id) break;
        if (const auto found = open.find(event.text); found != open.end()) {
          if (held[found->second].qos == event.qos) break;
          End(held[found->second], i);
        }
        Held begun;
        begun.client = client;
        const auto shared = mqtt::ParseSharedFilter(event.text);
        begun.filter = shared.has_value() ? std::string(shared->topic_filter) : event.text;
        begun.shared = shared.has_value();
        begun.qos = event.qos;
        begun.from = i;
        open[event.text] = held.size();
        held.push_back(std::move(begun));
        break;
      }
      case Kind::kSubscribe:  // May change its QoS, whether SUBACK comes or not.
        asked[event.text] = event.packet_id;
        if (const auto found = open.find(event.text); found != open.end() && held[found->second].qos != event.qos) {
          End(held[found->second], i);
          open.erase(found);
        }
        break;
      case Kind::kGivenUp:
      case Kind::kUnsubscribe:
        asked[event.text] = 0;
        if (const auto found = open.find(event.text); found != open.end()) {
          End(held[found->second], i);
          open.erase(found);
        }
        break;
      default: break;
    }
  }
  if (ended.has_value()) {
    const Index where = session_end(end());
    if (where != end()) end_all(where);
  }
}

// A half-open connection ends after the next one began.
std::size_t Timeline::Ends(int client, Index from, Index to) const {
  std::size_t begun = 0;
  std::size_t ended = 0;
  for (const Index i : by_client_[client]) {
    if (i <= from || i >= to) continue;
    if (at(i).kind == Kind::kConnected) ++begun;
    if (at(i).kind == Kind::kDisconnected) ++ended;
  }
  return std::max(begun, ended);
}

std::size_t Timeline::SessionsLost(int client, Index from, Index to) const {
  return static_cast<std::size_t>(std::count_if(by_client_[client].begin(), by_client_[client].end(), [&](Index i) {
    return i > from && i < to && at(i).kind == Kind::kConnected && !at(i).session_present;
  }));
}

Index Timeline::HealthyAfter(int client, Index index) const {
  for (auto i = std::upper_bound(quiet_.begin(), quiet_.end(), index); i != quiet_.end(); ++i) {
    if ((at(*i).healthy >> client & 1) != 0) return *i;
  }
  return kNone;
}

std::size_t Timeline::Copies(int message) const {
  const MessageTimeline& times = messages[message];
  const MessagePlan& plan = history.messages[message];
  if (plan.qos == mqtt::QoS::kAtMostOnce || times.first_sending == kNone) return 1;
  const Index until = times.taken ? times.done : end();  // What was given up may still be sent again.
  return 1 + (plan.qos == mqtt::QoS::kAtLeastOnce ? Ends(plan.publisher, times.first_sending, until)
                                                  : SessionsLost(plan.publisher, times.first_sending, until));
}

}  // namespace mqttrpc::explorer
