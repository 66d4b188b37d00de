// Lost, twice, out of order, unexpected, expired.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/topic.h"
#include "timeline.h"

namespace mqttrpc::explorer {
namespace {

using Kind = Event::Kind;
using mqtt::QoS;

class DeliveryCheck {
 public:
  DeliveryCheck(const Timeline& timeline, std::vector<std::string>& findings)
      : timeline_(timeline), history_(timeline.history), findings_(findings) {}

  void Run() {
    CollectDeliveries();
    for (int message = 0; message < static_cast<int>(history_.messages.size()); ++message) {
      CheckNotStuck(message);
      CheckNotLost(message);
      CheckNotTwice(message);
      CheckExpected(message);
      CheckNotExpired(message);
    }
    CheckOrder();
  }

 private:
  // Live ones only: what was retained comes with every subscription.
  void CollectDeliveries() {
    for (Index i = 0; i < timeline_.end(); ++i) {
      const Event& event = timeline_.at(i);
      if (event.kind != Kind::kDelivered || event.message < 0 || event.retain) continue;
      live_[{event.message, event.client}].push_back(i);
    }
  }

  const std::vector<Index>& Live(int message, int client) const {
    static const std::vector<Index> kNever;
    const auto found = live_.find({message, client});
    return found == live_.end() ? kNever : found->second;
  }

  void CheckNotStuck(int message) {
    const MessageTimeline& times = timeline_.messages[message];
    if (times.call != kNone && times.done == kNone) {
      findings_.push_back(absl::StrCat("stuck: ", Describe(history_, message), " was never acknowledged"));
    }
  }

  // Whether the broker answers for it: it said so, to a publisher whose session
  // it kept meanwhile. (A QoS 2 message is lost with the session before PUBREL.)
  bool Promised(int message) const {
    const MessageTimeline& times = timeline_.messages[message];
    const MessagePlan& plan = history_.messages[message];
    if (plan.qos == QoS::kAtMostOnce || !times.taken) return false;
    return plan.qos == QoS::kAtLeastOnce ||
           timeline_.SessionsLost(plan.publisher, std::min(times.first_sending, times.done), times.done) == 0;
  }

  void CheckNotLost(int message) {
    const MessageTimeline& times = timeline_.messages[message];
    const MessagePlan& plan = history_.messages[message];
    if (!Promised(message)) return;
    for (const Held& held : timeline_.held) {
      if (held.shared || held.qos == QoS::kAtMostOnce || held.from > times.call || held.to < times.done) continue;
      if (!mqtt::Matches(held.filter, plan.topic)) continue;
      const Index deadline = timeline_.HealthyAfter(held.client, times.done);
      if (deadline == kNone || deadline >= held.to) continue;
      if (plan.expiry.has_value() &&
          timeline_.at(deadline).time >= timeline_.at(times.call).time + std::chrono::seconds(*plan.expiry)) {
        continue;
      }
      const auto& live = Live(message, held.client);
      if (!live.empty() && live.front() < deadline) continue;
      findings_.push_back(absl::StrCat("lost: ", Describe(history_, message), ", taken ", At(timeline_.at(times.done)),
                                       ", had not reached ", history_.clients[held.client].name, " ",
                                       At(timeline_.at(deadline)), ", subscribed ", At(timeline_.at(held.from))));
    }
  }

  void CheckNotTwice(int message) {
    for (int client = 0; client < static_cast<int>(history_.clients.size()); ++client) {
      const auto& live = Live(message, client);
      if (live.size() < 2) continue;
      const bool at_least_once =
          std::any_of(live.begin(), live.end(), [&](Index i) { return timeline_.at(i).qos == QoS::kAtLeastOnce; });
      std::size_t allowed = timeline_.Copies(message);
      if (at_least_once) {
        allowed *= 1 + timeline_.Ends(client, timeline_.messages[message].call, live.back());
      }
      if (live.size() <= allowed) continue;
      findings_.push_back(absl::StrCat("twice: ", Describe(history_, message), " reached ",
                                       history_.clients[client].name, " ", live.size(), " times, the last ",
                                       At(timeline_.at(live.back())), "; ", allowed, " can be explained"));
    }
  }

  void CheckExpected(int message) {
    const MessageTimeline& times = timeline_.messages[message];
    const MessagePlan& plan = history_.messages[message];
    std::vector<Index> all = times.deliveries;
    all.insert(all.end(), times.sent.begin(), times.sent.end());  // Also what the client would not hand over.
    for (const Index delivery : all) {
      const Event& event = timeline_.at(delivery);
      const std::string what = absl::StrCat("unexpected: ", Describe(history_, message), " at ",
                                            history_.clients[event.client].name, " ", At(event), " ");
      if (event.kind == Kind::kDelivered && event.text != plan.topic)
        findings_.push_back(absl::StrCat(what, "came as ", event.text));
      bool wanted = false;
      bool qos_fits = false;
      bool asked = true;  // So far as UNSUBACK tells, unless SUBSCRIBE followed its UNSUBSCRIBE.
      bool leaving = false;
      for (Index i = 0; i < delivery; ++i) {
        const Event& before = timeline_.at(i);
        if (before.client != event.client || before.text.empty()) continue;
        if (before.kind != Kind::kSubscribe && before.kind != Kind::kUnsubscribe &&
            before.kind != Kind::kUnsubscribed) {
          continue;
        }
        const auto shared = mqtt::ParseSharedFilter(before.text);
        if (!mqtt::Matches(shared.has_value() ? shared->topic_filter : before.text, plan.topic)) continue;
        if (before.kind == Kind::kSubscribe) {
          wanted = asked = true;
          leaving = false;
          qos_fits = qos_fits || event.qos == std::min(plan.qos, before.qos);
        } else if (before.kind == Kind::kUnsubscribe) {
          leaving = true;
        } else if (leaving && i < times.call) {
          asked = false;
        }
      }
      if (!wanted || !asked) findings_.push_back(absl::StrCat(what, "without a subscription"));
      if (wanted && !qos_fits) findings_.push_back(absl::StrCat(what, "with QoS ", static_cast<int>(event.qos)));
    }
  }

  // Expired messages are not begun to be sent; what is left of the time is told.
  void CheckNotExpired(int message) {
    const MessageTimeline& times = timeline_.messages[message];
    const MessagePlan& plan = history_.messages[message];
    if (!plan.expiry.has_value() || !times.taken || plan.qos == QoS::kAtMostOnce) return;
    std::set<int> begun;
    for (const Index i : times.sent) {
      const Event& sent = timeline_.at(i);
      if (sent.dup || !begun.insert(sent.client).second) continue;
      const auto waited = i < times.done ? mqtt::Duration() : sent.time - timeline_.at(times.done).time;
      const auto whole = std::chrono::duration_cast<std::chrono::seconds>(waited).count();
      const std::string what = absl::StrCat("expired: ", Describe(history_, message), ", good for ", *plan.expiry,
                                            "s, was sent to ", history_.clients[sent.client].name, " ", At(sent));
      if (waited > std::chrono::seconds(*plan.expiry)) {
        findings_.push_back(what);
      } else if (!sent.seconds.has_value()) {
        findings_.push_back(absl::StrCat(what, " without an expiry"));
      } else if (*sent.seconds > *plan.expiry - whole) {
        findings_.push_back(absl::StrCat(what, " with ", *sent.seconds, "s left"));
      }
    }
  }

  // First deliveries of what one publisher sent to one topic at one QoS, where the
  // subscription was there before and all the time.
  void CheckOrder() {
    std::map<std::tuple<int, int, std::string, QoS, QoS>, std::vector<std::pair<Index, int>>> flows;
    for (const auto& [key, live] : live_) {
      const MessagePlan& plan = history_.messages[key.first];
      const QoS delivered = timeline_.at(live.front()).qos;
      flows[{key.second, plan.publisher, plan.topic, plan.qos, delivered}].emplace_back(live.front(), key.first);
    }
    for (auto& [flow, firsts] : flows) {
      std::sort(firsts.begin(), firsts.end());
      int newest = -1;
      for (const auto& [first, message] : firsts) {
        // The first copy of several may not have waited for its receiver.
        const bool lossy = std::get<4>(flow) == QoS::kAtMostOnce || history_.messages[message].expiry.has_value();
        if (lossy && timeline_.Copies(message) > 1) continue;
        if (message < newest && WasHeld(std::get<0>(flow), message, first)) {
          findings_.push_back(absl::StrCat("order: ", Describe(history_, message), " reached ",
                                           history_.clients[std::get<0>(flow)].name, " ", At(timeline_.at(first)),
                                           " after m", newest));
        }
        newest = std::max(newest, message);
      }
    }
  }

  bool WasHeld(int client, int message, Index until) const {
    const MessageTimeline& times = timeline_.messages[message];
    return std::any_of(timeline_.held.begin(), timeline_.held.end(), [&](const Held& held) {
      return held.client == client && !held.shared && held.from < times.call && held.to > until &&
             mqtt::Matches(held.filter, history_.messages[message].topic);
    });
  }

  const Timeline& timeline_;
  const History& history_;
  std::vector<std::string>& findings_;
  std::map<std::pair<int, int>, std::vector<Index>> live_;  // By message and client.
};

}  // namespace

void CheckDelivery(const Timeline& timeline, std::vector<std::string>& findings) {
  DeliveryCheck(timeline, findings).Run();
}

// One group: what it was promised reaches one of its members, unless a member
// took it into the end of its own session or subscription.
void CheckShared(const Timeline& timeline, std::vector<std::string>& findings) {
  const History& history = timeline.history;
  std::set<int> members;
  bool lossy = false;  // A member takes QoS 0, perhaps longer than it knows.
  for (const Event& event : history.events) {
    if (!event.text.starts_with("$share/")) continue;
    if (event.kind == Kind::kGivenUp) lossy = true;  // A member for the broker alone.
    if (event.kind != Kind::kSubscribe) continue;
    members.insert(event.client);
    if (event.qos == QoS::kAtMostOnce) lossy = true;
  }
  if (members.empty()) return;
  for (int message = 0; message < static_cast<int>(history.messages.size()); ++message) {
    const MessageTimeline& times = timeline.messages[message];
    const MessagePlan& plan = history.messages[message];
    std::size_t reached = 0;
    std::size_t ends = 0;
    bool at_least_once = false;  // Sent so to one, it may have gone on to another.
    for (const Index i : times.deliveries) {
      const Event& event = timeline.at(i);
      if (event.retain || members.count(event.client) == 0) continue;
      ++reached;
      at_least_once = at_least_once || event.qos == QoS::kAtLeastOnce;
    }
    for (const int member : members) ends += timeline.Ends(member, times.call, timeline.end());
    const std::size_t allowed = timeline.Copies(message) * (at_least_once ? 1 + ends : 1);
    if (reached > allowed) {
      findings.push_back(absl::StrCat("twice: ", Describe(history, message), " reached the group ", reached, " times; ",
                                      allowed, " can be explained"));
    }
    bool held_by_one = false;
    bool fragile = lossy || plan.qos == QoS::kAtMostOnce || !times.taken || plan.expiry.has_value() ||
                   timeline.SessionsLost(plan.publisher, times.call, times.done) != 0;
    for (const Held& held : timeline.held) {
      if (!held.shared || held.to < times.call || !mqtt::Matches(held.filter, plan.topic)) continue;
      if (held.from < times.call) held_by_one = true;
      if (held.to != kNone) fragile = true;
    }
    // What waits for a member that unsubscribes may still go to it (MQTT 3.10.4).
    for (Index i = times.call; i < timeline.end(); ++i) {
      const Event& event = timeline.at(i);
      if (event.kind == Kind::kUnsubscribed && event.text.starts_with("$share/")) fragile = true;
    }
    for (const int member : members) {
      if (timeline.SessionsLost(member, times.call, timeline.end()) != 0) fragile = true;
    }
    if (held_by_one && !fragile && reached == 0) {
      findings.push_back(absl::StrCat("lost: ", Describe(history, message), " reached nobody of the group"));
    }
  }
}

}  // namespace mqttrpc::explorer
