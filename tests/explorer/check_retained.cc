// What the broker keeps for a topic is what was last published to it with RETAIN.
// Each topic has one publisher and one QoS, so that "last" means something.
#include <algorithm>
#include <map>
#include <optional>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/topic.h"
#include "timeline.h"

namespace mqttrpc::explorer {
namespace {

using Kind = Event::Kind;

class RetainedCheck {
 public:
  RetainedCheck(const Timeline& timeline, std::vector<std::string>& findings)
      : timeline_(timeline), history_(timeline.history), findings_(findings) {
    for (int message = 0; message < static_cast<int>(history_.messages.size()); ++message) {
      if (history_.messages[message].retain) topics_[history_.messages[message].topic].push_back(message);
    }
  }

  void Run() {
    for (Index i = 0; i < timeline_.end(); ++i) {
      const Event& event = timeline_.at(i);
      if (event.kind == Kind::kDelivered && event.retain && event.message >= 0) CheckNotReplaced(i);
    }
    if (history_.probe < 0) return;
    for (const auto& [topic, messages] : topics_) CheckLast(topic, messages);
  }

 private:
  // Nobody who subscribes gets what was replaced before.
  void CheckNotReplaced(Index delivery) {
    const Event& event = timeline_.at(delivery);
    const MessageTimeline& old = timeline_.messages[event.message];
    const Index asked = FirstAsked(delivery);
    if (old.done == kNone || asked == kNone) return;
    for (const int other : topics_[history_.messages[event.message].topic]) {
      const MessageTimeline& newer = timeline_.messages[other];
      if (!newer.taken || newer.call < old.done || newer.done > asked || !Sure(other)) continue;
      findings_.push_back(absl::StrCat("retained: ", history_.clients[event.client].name, " got ",
                                       Describe(history_, event.message), " ", At(event), " though m", other,
                                       " had replaced it ", At(timeline_.at(newer.done))));
      return;
    }
  }

  // The first SUBSCRIBE that this may be the answer to: what was asked before a
  // healthy quiet moment has been answered by then.
  Index FirstAsked(Index delivery) const {
    const Event& event = timeline_.at(delivery);
    Index first = kNone;
    for (Index i = 0; i < delivery; ++i) {
      const Event& before = timeline_.at(i);
      if (before.kind == Kind::kQuiet && (before.healthy >> event.client & 1) != 0) first = kNone;
      if (before.client == event.client && before.kind == Kind::kSubscribe && first == kNone &&
          mqtt::Matches(before.text, event.text)) {
        first = i;
      }
    }
    return first;
  }

  // A QoS 2 message whose session went before PUBREL may have been forgotten.
  bool Sure(int message) const {
    const MessageTimeline& times = timeline_.messages[message];
    const MessagePlan& plan = history_.messages[message];
    return times.taken && (plan.qos != mqtt::QoS::kExactlyOnce || times.first_sending == kNone ||
                           timeline_.SessionsLost(plan.publisher, times.first_sending, times.done) == 0);
  }

  void CheckLast(const std::string& topic, const std::vector<int>& messages) {
    int got = -1;
    mqtt::Duration probed{};
    for (const Event& event : history_.events) {
      if (event.client != history_.probe) continue;
      if (event.kind == Kind::kSubscribe) probed = event.time;
      if (event.kind == Kind::kDelivered && event.retain && event.text == topic) got = event.message;
    }
    // What may be there: the last that surely was taken, or any after it.
    for (auto each = messages.rbegin(); each != messages.rend(); ++each) {
      const MessagePlan& plan = history_.messages[*each];
      const MessageTimeline& times = timeline_.messages[*each];
      bool may_be_there = !plan.empty;
      bool may_be_gone = plan.empty;
      if (plan.expiry.has_value() && times.done != kNone) {
        const auto expiry = std::chrono::seconds(*plan.expiry);
        may_be_gone = may_be_gone || probed >= timeline_.at(times.call).time + expiry;
        may_be_there = may_be_there && probed <= timeline_.at(times.done).time + expiry;
      }
      if (got == *each && may_be_there) return;
      if (got < 0 && may_be_gone) return;
      if (Sure(*each)) {
        const bool wanted_there = may_be_there && !may_be_gone;
        const std::string wanted = wanted_there ? Describe(history_, *each) : std::string("nothing");
        findings_.push_back(absl::StrCat("retained: for ", topic, " the broker has ",
                                         got < 0 ? "nothing" : Describe(history_, got), ", not ", wanted));
        return;
      }
    }
    if (got >= 0) {
      findings_.push_back(absl::StrCat("retained: for ", topic, " the broker has ", Describe(history_, got)));
    }
  }

  const Timeline& timeline_;
  const History& history_;
  std::vector<std::string>& findings_;
  std::map<std::string, std::vector<int>> topics_;
};

}  // namespace

void CheckRetained(const Timeline& timeline, std::vector<std::string>& findings) {
  RetainedCheck(timeline, findings).Run();
}

}  // namespace mqttrpc::explorer
