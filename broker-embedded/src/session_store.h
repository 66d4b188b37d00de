// All sessions of one shard: who is there, who may come back, and until when.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "mqttrpc/mqtt/deadline_queue.h"
#include "session.h"
#include "text_map.h"

namespace mqttrpc::broker {

struct BrokerCore;

class SessionStore {
 public:
  explicit SessionStore(BrokerCore& core) : core_(core) {}
  ~SessionStore();
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;

  // The session of a client that connects. Another connection with its client id is
  // ended first (MQTT-3.1.4-3). `present`: it is an old one (MQTT-3.1.2-4 to -6).
  struct Opened {
    Session* session = nullptr;
    bool present = false;
  };
  Opened Open(std::string_view client_id, bool clean_start, mqtt::TimePoint now);

  // What Open() would find.
  bool WouldResume(std::string_view client_id, bool clean_start) const;

  // The connection of `session` is over: publishes its will or waits with it, and
  // ends the session or waits with that. `session` may be gone afterwards.
  void Close(Session& session, mqtt::TimePoint now);

  // When OnDeadline() is wanted.
  mqtt::TimePoint next_deadline() const { return deadlines_.Next(); }
  void OnDeadline(mqtt::TimePoint now);

  bool contains(std::string_view client_id) const { return sessions_.contains(client_id); }
  bool IsConnected(std::string_view client_id) const;
  std::size_t size() const { return sessions_.size(); }
  std::size_t connected() const { return connected_; }
  void OnAttached();  // A session of Open() has its connection.

 private:
  void End(Session& session, mqtt::TimePoint now);
  void PublishWill(Session& session, mqtt::TimePoint now);
  void Schedule(Session& session);

  BrokerCore& core_;
  OwnedByText<Session, &Session::client_id> sessions_;
  std::size_t connected_ = 0;
  mqtt::DeadlineQueue deadlines_;  // Of wills and expiries.
};

}  // namespace mqttrpc::broker
