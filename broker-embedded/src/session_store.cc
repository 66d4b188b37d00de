#include "session_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "broker_core.h"

namespace mqttrpc::broker {
namespace {

constexpr std::uint32_t kForever = 0xFFFFFFFF;

mqtt::TimePoint ExpiryOf(const Session& session) {
  if (session.expiry == kForever) return mqtt::kNever;
  return session.disconnected_at + std::chrono::seconds(session.expiry);
}

mqtt::TimePoint WillDueOf(const Session& session) {
  if (!session.will) return mqtt::kNever;
  return session.disconnected_at + std::chrono::seconds(session.will_delay);
}

}  // namespace

SessionStore::~SessionStore() {
  for (const auto& session : sessions_) {
    deadlines_.Cancel(*session);
    core_.router.subscriptions().RemoveAll(*session);
  }
}

bool SessionStore::WouldResume(std::string_view client_id, bool clean_start) const {
  if (clean_start) return false;
  const auto found = sessions_.find(client_id);
  // One that ends with its connection ends when that is taken over.
  return found != sessions_.end() && (!(*found)->connected() || (*found)->expiry != 0);
}

SessionStore::Opened SessionStore::Open(std::string_view client_id, bool clean_start, mqtt::TimePoint now) {
  auto found = sessions_.find(client_id);
  if (found != sessions_.end() && (*found)->connected()) {
    (*found)->peer()->OnTakenOver(now);  // It calls Close().
    found = sessions_.find(client_id);
  }
  if (found != sessions_.end() && clean_start) {
    End(**found, now);  // MQTT-3.1.2-4
    found = sessions_.end();
  }
  if (found != sessions_.end()) {
    Session& session = **found;
    session.will = MessageRef();  // The client is back in time (MQTT-3.1.3-9).
    deadlines_.Cancel(session);
    return {&session, true};
  }
  auto session = std::make_unique<Session>(core_, std::string(client_id));
  Session* const opened = session.get();
  sessions_.insert(std::move(session));
  core_.counters.sessions.Set(sessions_.size());
  return {opened, false};
}

bool SessionStore::IsConnected(std::string_view client_id) const {
  const auto found = sessions_.find(client_id);
  return found != sessions_.end() && (*found)->connected();
}

void SessionStore::OnAttached() { core_.counters.connections.Set(++connected_); }

void SessionStore::Close(Session& session, mqtt::TimePoint now) {
  core_.counters.connections.Set(--connected_);
  session.Detach();
  session.disconnected_at = now;
  if (session.expiry == 0) return End(session, now);
  session.outbox().Trim(core_.budget.IdleShare());
  if (session.will && session.will_delay == 0) PublishWill(session, now);
  Schedule(session);
}

void SessionStore::Schedule(Session& session) {
  deadlines_.Schedule(session, std::min(ExpiryOf(session), WillDueOf(session)));
}

void SessionStore::OnDeadline(mqtt::TimePoint now) {
  while (core_.work < BrokerCore::kWorkPerTurn) {
    auto* const due = deadlines_.PopDue(now);
    if (due == nullptr) return;
    Session& session = *static_cast<Session*>(due);
    if (ExpiryOf(session) <= now) {
      core_.work += 1 + session.subscription_count() + session.outbox().waiting_messages();
      core_.counters.sessions_expired.Add();
      core_.Log(mqtt::LogLevel::kInfo, "event=session_expired client_id=", Quoted(session.client_id()));
      End(session, now);
      continue;
    }
    if (WillDueOf(session) <= now) PublishWill(session, now);
    Schedule(session);
  }
}

// With the session goes all that waited for it, and its will is due (MQTT-3.1.3-9).
void SessionStore::End(Session& session, mqtt::TimePoint now) {
  deadlines_.Cancel(session);
  core_.router.subscriptions().RemoveAll(session);
  core_.counters.subscriptions.Set(core_.router.subscriptions().size());
  session.outbox().Clear(DropReason::kSessionEnded);
  PublishWill(session, now);
  sessions_.erase(sessions_.find(std::string_view(session.client_id())));
  core_.counters.sessions.Set(sessions_.size());
}

void SessionStore::PublishWill(Session& session, mqtt::TimePoint now) {
  if (!session.will) return;
  const MessageRef will = std::exchange(session.will, MessageRef());
  SharedMessage::RestartExpiry(will, now);
  core_.Publish(will, &session, now);  // MQTT-3.1.2-8
}

}  // namespace mqttrpc::broker
