// Sessions that are there or not when their client is back, and wills.
#include <algorithm>
#include <map>
#include <optional>

#include <absl/strings/str_cat.h>

#include "timeline.h"

namespace mqttrpc::explorer {
namespace {

using Kind = Event::Kind;
using std::chrono::seconds;

constexpr mqtt::Duration kSlack = std::chrono::milliseconds(1);  // For "just when it ended".

// What the broker knows of one client, as far as one can tell from outside. A
// CONNECT whose CONNACK nobody saw may have been accepted before the end.
class SessionCheck {
 public:
  SessionCheck(const Timeline& timeline, int client, std::vector<std::string>& findings)
      : history_(timeline.history), client_(client), plan_(history_.clients[client]), findings_(findings) {}

  void Run() {
    for (const Event& event : history_.events) {
      if (event.client != client_) continue;
      switch (event.kind) {
        case Kind::kConnect: pending_[event.connection] = event.clean_start; break;
        case Kind::kConnected: OnConnected(event); break;
        case Kind::kGoodbye:
          if (event.connection == current_) goodbye_ = event;
          break;
        case Kind::kDisconnected: OnDisconnected(event); break;
        default: break;
      }
    }
  }

 private:
  void OnConnected(const Event& event) {
    Judge(event, pending_[event.connection]);
    pending_.erase(event.connection);
    current_ = event.connection;
    known_ = possible_ = true;
    goodbye_.reset();
  }

  void OnDisconnected(const Event& event) {
    if (event.connection == current_) {
      current_ = 0;
      const mqtt::Duration expiry = seconds(plan_.session_expiry);
      earliest_ = latest_ = event.time + expiry;
      if (!goodbye_.has_value() || !goodbye_->seconds.has_value()) return;
      const mqtt::Duration other = event.time + seconds(*goodbye_->seconds);
      earliest_ = std::min(earliest_, other);
      if (goodbye_->sure && event.sure) latest_ = other;
    } else if (const auto found = pending_.find(event.connection); found != pending_.end()) {
      if (found->second) known_ = false;
      possible_ = true;
      latest_ = event.time + seconds(plan_.session_expiry);
      pending_.erase(found);
    }
  }

  void Judge(const Event& event, bool clean_start) {
    if (clean_start) {
      if (event.session_present) Find(event, "is there although the client wanted a new one");
      return;
    }
    if (current_ != 0) {  // Takeover. Whether a session of 0 s outlives it is not said.
      if (!event.session_present && plan_.session_expiry != 0) Find(event, "is gone, taken over");
      return;
    }
    if (event.session_present && (!possible_ || event.time > latest_ + kSlack)) {
      Find(event, "is there, but has ended");
    }
    if (!event.session_present && known_ && event.time + kSlack < earliest_) {
      Find(event, absl::StrCat("is gone, but was to be kept for ", plan_.session_expiry, "s"));
    }
  }

  void Find(const Event& event, std::string_view what) {
    findings_.push_back(absl::StrCat("session: that of ", plan_.name, " ", At(event), " ", std::string(what)));
  }

  const History& history_;
  const int client_;
  const ClientPlan& plan_;
  std::vector<std::string>& findings_;

  std::uint64_t current_ = 0;              // The connection it has; 0: none.
  std::map<std::uint64_t, bool> pending_;  // Where CONNECT was sent, and its Clean Start.
  bool known_ = false;                     // There surely was a session after the last connection.
  bool possible_ = false;                  // There may have been one.
  mqtt::Duration earliest_{}, latest_{};   // When it ends.
  std::optional<Event> goodbye_;
};

// The wills of one client: when each is due, and whether it must come.
class WillCheck {
 public:
  WillCheck(const Timeline& timeline, int client, std::vector<std::string>& findings)
      : history_(timeline.history), client_(client), plan_(history_.clients[client]), findings_(findings) {
    delay_ = seconds(std::min(plan_.will_delay.value_or(0), plan_.session_expiry));
  }

  void Run() {
    for (const Event& event : history_.events) {
      if (event.client == client_) OnEvent(event);
      if (event.client == history_.witness && event.kind == Kind::kDelivered && event.text == "w/" + plan_.name) {
        came_.push_back(event.time);
      }
    }
    Match();
  }

 private:
  struct Due {
    mqtt::Duration at;
    bool sure;
    bool matched = false;
  };

  void OnEvent(const Event& event) {
    switch (event.kind) {
      case Kind::kConnect: pending_[event.connection] = event.clean_start; break;
      case Kind::kConnected:
        if (current_ != 0) TakenOver(event, pending_[event.connection]);
        Returned(event, pending_[event.connection], true);
        pending_.erase(event.connection);
        current_ = event.connection;
        goodbye_.reset();
        replaced_ = false;
        break;
      case Kind::kGoodbye:
        if (event.connection == current_) goodbye_ = event;
        break;
      case Kind::kDisconnected:
        if (event.connection == current_) {
          current_ = 0;
          Left(event);
        } else if (const auto found = pending_.find(event.connection); found != pending_.end()) {
          // Perhaps it was accepted, and so left a will.
          Returned(event, found->second, false);
          if (found->second && current_ != 0) {
            replaced_ = true;
            due_.push_back({event.time, false});
          }
          due_.push_back({event.time + delay_, false});
          pending_.erase(found);
        }
        break;
      default: break;
    }
  }

  void Left(const Event& event) {
    // Somebody may have wanted a new session just then, which sends the will at once.
    const bool replaced =
        replaced_ || std::any_of(pending_.begin(), pending_.end(), [](const auto& connect) { return connect.second; });
    if (replaced) {
      due_.push_back({event.time, false});
      due_.push_back({event.time + delay_, false});
      return;
    }
    if (!goodbye_.has_value()) {
      due_.push_back({event.time + delay_, true});
      return;
    }
    const bool sure = goodbye_->sure && event.sure;
    if (!goodbye_->good) {  // With the will, whose delay a session that ends cuts short.
      due_.push_back(
          {event.time + std::min<mqtt::Duration>(delay_, seconds(goodbye_->seconds.value_or(UINT32_MAX))), sure});
    }
    if (!sure) due_.push_back({event.time + delay_, false});
  }

  // Another connection while the broker still had this one.
  void TakenOver(const Event& event, bool clean_start) {
    if (plan_.will_delay.value_or(0) == 0) {
      due_.push_back({event.time, !goodbye_.has_value()});
    } else if (clean_start || plan_.session_expiry == 0) {
      due_.push_back({event.time, false});  // The session ends, or is it taken over?
    }
  }

  // Whoever is back before the delay is over has no will sent, unless the session ended.
  void Returned(const Event& event, bool clean_start, bool sure) {
    std::erase_if(due_, [&](const Due& each) { return sure && !clean_start && each.at > event.time + kSlack; });
    for (Due& each : due_) {
      if (each.at + kSlack < event.time) continue;
      if (plan_.will_delay.value_or(0) == 0) continue;  // Sent at once.
      if (clean_start && sure) {
        each.at = std::min(each.at, event.time);
      } else {
        each.sure = false;  // Just then, or perhaps cancelled.
      }
    }
  }

  void Match() {
    const mqtt::Duration end = history_.events.empty() ? mqtt::Duration() : history_.events.back().time;
    const mqtt::Duration tolerance = seconds(1);
    for (const mqtt::Duration came : came_) {
      Due* match = nullptr;
      for (Due& each : due_) {
        if (each.matched || came + kSlack < each.at || came > each.at + tolerance) continue;
        if (match == nullptr || (each.sure && !match->sure)) match = &each;
      }
      if (match == nullptr) {
        Find("came though it was not due", came);
      } else {
        match->matched = true;
      }
    }
    for (const Due& each : due_) {
      if (each.sure && !each.matched && each.at + tolerance < end) Find("was due and did not come", each.at);
    }
  }

  void Find(std::string_view what, mqtt::Duration when) {
    Event event;
    event.time = when;
    findings_.push_back(absl::StrCat("will: that of ", plan_.name, " ", std::string(what), " ", At(event)));
  }

  const History& history_;
  const int client_;
  const ClientPlan& plan_;
  std::vector<std::string>& findings_;

  mqtt::Duration delay_{};
  std::uint64_t current_ = 0;
  std::map<std::uint64_t, bool> pending_;  // As in SessionCheck.
  bool replaced_ = false;                  // Perhaps, by a CONNECT that nobody saw answered.
  std::optional<Event> goodbye_;
  std::vector<Due> due_;
  std::vector<mqtt::Duration> came_;
};

}  // namespace

void CheckSessions(const Timeline& timeline, std::vector<std::string>& findings) {
  for (int client = 0; client < static_cast<int>(timeline.history.clients.size()); ++client) {
    SessionCheck(timeline, client, findings).Run();
  }
}

void CheckWills(const Timeline& timeline, std::vector<std::string>& findings) {
  if (timeline.history.witness < 0) return;
  for (int client = 0; client < static_cast<int>(timeline.history.clients.size()); ++client) {
    if (timeline.history.clients[client].will_delay.has_value()) WillCheck(timeline, client, findings).Run();
  }
}

}  // namespace mqttrpc::explorer
