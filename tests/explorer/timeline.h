// A history, sorted by message, client and subscription for the checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "history.h"

namespace mqttrpc::explorer {

using Index = std::size_t;  // Of an event.
inline constexpr Index kNone = SIZE_MAX;

struct MessageTimeline {
  Index call = kNone;
  Index first_sending = kNone;
  Index done = kNone;
  bool taken = false;             // By the broker, for sure.
  std::vector<Index> sent;        // kSent
  std::vector<Index> deliveries;  // kDelivered, live ones and retained ones.
};

// From when to when a client surely had a subscription, and of what QoS.
struct Held {
  int client = 0;
  std::string filter;  // Without $share/name/.
  bool shared = false;
  mqtt::QoS qos = mqtt::QoS::kAtMostOnce;
  Index from = 0;    // Its SUBACK.
  Index to = kNone;  // Whatever may have ended it first; kNone: nothing.
};

class Timeline {
 public:
  explicit Timeline(const History& history);

  const Event& at(Index index) const { return history.events[index]; }
  Index end() const { return history.events.size(); }

  // Connections of `client` that ended, and sessions that it found gone, between two events.
  std::size_t Ends(int client, Index from, Index to) const;
  std::size_t SessionsLost(int client, Index from, Index to) const;

  // The first quiet moment after `index` at which the client was healthy.
  Index HealthyAfter(int client, Index index) const;

  // How often the broker may have been handed the message.
  std::size_t Copies(int message) const;

  const History& history;
  std::vector<MessageTimeline> messages;
  std::vector<Held> held;

 private:
  void AddSubscriptions(int client);
  void End(Held& held_in, Index at);

  std::vector<std::vector<Index>> by_client_;
  std::vector<Index> quiet_;
};

// "m3 of c1 to t/0 (qos 2)".
std::string Describe(const History& history, int message);
std::string At(const Event& event);  // "at 12.000s"

// The checks, by subject; each appends its findings.
void CheckDelivery(const Timeline& timeline, std::vector<std::string>& findings);
void CheckShared(const Timeline& timeline, std::vector<std::string>& findings);
void CheckSessions(const Timeline& timeline, std::vector<std::string>& findings);
void CheckWills(const Timeline& timeline, std::vector<std::string>& findings);
void CheckRetained(const Timeline& timeline, std::vector<std::string>& findings);

}  // namespace mqttrpc::explorer
