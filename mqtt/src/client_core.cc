#include "client_core.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "mqttrpc/mqtt/endpoint.h"
#include "mqttrpc/mqtt/status.h"

namespace mqttrpc::mqtt {
namespace {
using std::chrono::milliseconds;
}  // namespace

ClientCore::ClientCore(const ClientOptions& options, Random& random, LogSink& log)
    : options_(options),
      random_(random),
      publisher_(options_, work_),
      subscriber_(options_, log, work_),
      acknowledger_(options_, work_),
      brokers_(options_),
      client_id_(options.client_id) {
  state_.client_id = client_id_;
  state_.broker = brokers_.current();
}

// --- Commands ---------------------------------------------------------------

void ClientCore::Start(TimePoint now) {
  if (phase_ == Phase::kClosing && stop_after_closing_) start_after_closing_ = true;
  if (phase_ != Phase::kStopped) return;
  gave_up_ = absl::OkStatus();
  failures_ = 0;
  takeovers_ = 0;
  if (absl::Status status = CheckOptions(); !status.ok()) return Stop(status, status);
  Dial(now);
}

void ClientCore::Publish(PublishNode&& operation, TimePoint now) {
  if (!gave_up_.ok()) return work_.Finish(operation.front().done, gave_up_);
  publisher_.Add(std::move(operation), phase_ == Phase::kConnected, now);
}

void ClientCore::Subscribe(SubscribeOperation operation) {
  if (!gave_up_.ok()) return work_.Finish(operation.done, gave_up_);
  subscriber_.Add(std::move(operation));
}

void ClientCore::Unsubscribe(UnsubscribeOperation operation) {
  if (!gave_up_.ok()) return work_.Finish(operation.done, gave_up_);
  subscriber_.Add(std::move(operation));
}

void ClientCore::Disconnect(OperationId id, const DisconnectOptions& how, Completion<absl::Status> done,
                            TimePoint now) {
  mqtt::Disconnect disconnect;
  Properties properties = how.properties;
  if (how.session_expiry.has_value()) {
    // MQTT 3.14.2.2.2: a session that was to end with the connection cannot be kept now.
    if ((options_.session_expiry.count() == 0 && how.session_expiry->count() != 0) || how.session_expiry->count() < 0 ||
        how.session_expiry->count() > 0xFFFFFFFF) {
      return work_.Finish(done, absl::InvalidArgumentError(absl::StrCat(
                                    "session_expiry at disconnect is ", how.session_expiry->count(), " s; it was ",
                                    options_.session_expiry.count(), " s for the connection")));
    }
    properties.Set(property::kSessionExpiryInterval, static_cast<std::uint32_t>(how.session_expiry->count()));
  }
  disconnect.reason_code = how.reason_code;
  disconnect.properties = properties;
  WireBuffer scratch;
  if (absl::Status status = EncodePacket(Packet(disconnect), Sender::kClient, scratch); !status.ok()) {
    return work_.Finish(done, std::move(status));  // MQTT-3.14.2-1
  }
  disconnecting_.emplace_back(id, std::move(done));
  start_after_closing_ = false;
  if (phase_ == Phase::kClosing) {
    stop_after_closing_ = true;
    return;
  }
  if (phase_ != Phase::kConnected) return Stop(absl::OkStatus(), absl::CancelledError("client disconnected"));
  session_kept_ = how.session_expiry.value_or(session_kept_);
  work_.now = now;
  if (session_begins_) BeginSession();
  Pump();
  if (!subscriber_.resubscribing()) publisher_.Pump(true);
  stop_after_closing_ = true;
  BeginClosing(disconnect, now, options_.connect_timeout);
}

void ClientCore::UntilConnected(OperationId id, Completion<absl::Status> done) {
  if (!gave_up_.ok()) return work_.Finish(done, gave_up_);
  if (phase_ == Phase::kConnected) return work_.Finish(done, absl::OkStatus());
  until_connected_.emplace_back(id, std::move(done));
}

void ClientCore::Cancel(OperationId id) {
  if (publisher_.Cancel(id) || subscriber_.Cancel(id)) return;
  const auto cancel = [&](auto& waiters, std::string_view what) {
    const auto waiter =
        std::find_if(waiters.begin(), waiters.end(), [&](const auto& each) { return each.first == id; });
    if (waiter == waiters.end()) return false;
    work_.Finish(waiter->second, absl::CancelledError(ToAbsl(what)));
    waiters.erase(waiter);
    return true;
  };
  if (cancel(until_connected_, "wait cancelled") || cancel(disconnecting_, "wait for the disconnection cancelled"))
    return;
  if (reauthenticating_.first == id) work_.Finish(reauthenticating_.second, absl::CancelledError("wait cancelled"));
}

void ClientCore::Settle(std::uint64_t serial, Acknowledgement::Target::Answer answer, ReasonCode code) {
  acknowledger_.Settle(serial, answer, code);
}

void ClientCore::End() {
  DropStream();
  phase_ = Phase::kStopped;
  gave_up_ = absl::CancelledError("client destroyed");
  CancelAll(gave_up_);
  for (auto& [id, done] : std::exchange(disconnecting_, {})) work_.Finish(done, gave_up_);
}

// --- The stream -------------------------------------------------------------

ClientCore::StreamWish ClientCore::stream() const {
  StreamWish wish;
  wish.number = stream_number_;
  switch (phase_) {
    case Phase::kStopped:
    case Phase::kWaiting: wish.wish = Wish::kNone; break;
    case Phase::kDialling:
    case Phase::kHandshaking:
    case Phase::kConnected: wish.wish = Wish::kOpen; break;
    case Phase::kClosing: wish.wish = Wish::kFinish; break;
  }
  return wish;
}

void ClientCore::Dial(TimePoint now) {
  phase_ = Phase::kDialling;
  ++stream_number_;
  deadline_ = now + options_.connect_timeout;
  Tell(ConnectionState::Kind::kConnecting);
}

void ClientCore::Opened(TimePoint now) {
  if (phase_ != Phase::kDialling) return;
  frames_.emplace(options_.maximum_packet_size);
  aliases_.Reset(options_.topic_alias_maximum);  // MQTT-3.3.2-7
  // Whoever has an old session in mind may be given a newer one, without our subscriptions.
  clean_start_ = had_session_ ? session_doubtful_ && now >= session_ends_ : options_.clean_start;
  Authenticator::Data data;
  if (options_.authenticator != nullptr) {
    absl::StatusOr<Authenticator::Data> started = options_.authenticator->Start();
    if (!started.ok()) return Lost(started.status(), now);
    data = *std::move(started);
  }
  // MQTT-3.1.0-1
  if (absl::Status status = EncodeConnect(data, work_.out); !status.ok()) return Stop(status, status);
  phase_ = Phase::kHandshaking;
  connect_unanswered_ = true;
  last_sent_ = last_received_ = now;
}

void ClientCore::Received(std::span<const std::byte> bytes, TimePoint now) {
  if (phase_ != Phase::kHandshaking && phase_ != Phase::kConnected) return;
  last_received_ = now;
  work_.statistics.bytes_received += bytes.size();
  frames_->Feed(bytes);
  receiving_ = true;
}

void ClientCore::Closed(absl::Status why, TimePoint now) {
  if (why.ok()) {
    why = absl::UnavailableError(phase_ == Phase::kHandshaking ? "the broker closed the connection before CONNACK"
                                                               : "the broker closed the connection");
  }
  switch (phase_) {
    case Phase::kStopped:
    case Phase::kWaiting: return;
    case Phase::kClosing: return EndClosing(why, now);
    case Phase::kDialling:
    case Phase::kHandshaking:
    case Phase::kConnected: return Lost(std::move(why), now);
  }
}

void ClientCore::Finished(TimePoint now) {
  if (phase_ == Phase::kClosing) EndClosing(absl::OkStatus(), now);
}

// MQTT-3.14.4-1: DISCONNECT is the last thing in the output. MQTT-3.14.4-2: what
// follows is the end of the stream.
void ClientCore::BeginClosing(const mqtt::Disconnect& disconnect, TimePoint now, Duration limit) {
  const std::size_t before = work_.out.size();
  mqtt::Disconnect plain;
  plain.reason_code = disconnect.reason_code;
  absl::Status status = EncodePacket(Packet(disconnect), Sender::kClient, work_.out);
  if (status.ok() && work_.out.size() - before > work_.limits.maximum_packet_size) {
    // MQTT-3.14.2-3, MQTT-3.14.2-4
    work_.out.resize(before);
    plain.properties = {};
    status = EncodePacket(Packet(plain), Sender::kClient, work_.out);
  }
  if (!status.ok()) {  // A Reason Code that only brokers may send.
    plain.reason_code = ReasonCode::kProtocolError;
    (void)EncodePacket(Packet(plain), Sender::kClient, work_.out);
  }
  phase_ = Phase::kClosing;
  receiving_ = false;
  session_begins_ = false;
  deadline_ = now + limit;
  acknowledger_.OnConnectionLost();
}

void ClientCore::EndClosing(const absl::Status& sent, TimePoint now) {
  LeaveSession(now);
  if (!std::exchange(stop_after_closing_, false)) return Lost(closing_why_, now);
  auto disconnecting = std::exchange(disconnecting_, {});
  Stop(absl::OkStatus(), absl::CancelledError("client disconnected"));
  for (auto& [id, done] : disconnecting) work_.Finish(done, sent);
  if (std::exchange(start_after_closing_, false)) Start(now);
}

void ClientCore::Lost(absl::Status why, TimePoint now) {
  LeaveSession(now);
  const bool connected = connected_at_ != kNever;
  const bool lasted = connected && now - connected_at_ >= options_.backoff_reset;
  const bool taken_over = ReasonCodeOf(why) == ReasonCode::kSessionTakenOver;
  if (lasted && !taken_over) failures_ = 0;
  if (connected) {
    ++work_.statistics.connections_lost;
    takeovers_ = taken_over ? takeovers_ + 1 : 0;
    if (taken_over && takeovers_ == options_.maximum_takeovers) return Stop(why, why);
  }
  bool at_once = std::exchange(redirected_, false);
  if (!at_once && connected) brokers_.Lost();
  if (!at_once && !connected) at_once = brokers_.Failed();
  DropStream();
  phase_ = Phase::kWaiting;
  deadline_ = at_once ? now : now + NextBackoff();
  state_.next_try = deadline_;
  Tell(ConnectionState::Kind::kWaiting, std::move(why));
}

void ClientCore::Stop(absl::Status why, const absl::Status& pending) {
  DropStream();
  const bool told = phase_ == Phase::kStopped && state_.why == why;
  phase_ = Phase::kStopped;
  gave_up_ = why;
  CancelAll(pending);
  if (!told) Tell(ConnectionState::Kind::kStopped, std::move(why));
  for (auto& [id, done] : std::exchange(disconnecting_, {})) work_.Finish(done, absl::OkStatus());
}

void ClientCore::CancelAll(const absl::Status& pending) {
  publisher_.CancelAll(pending);
  subscriber_.CancelAll(pending);
  for (auto& [id, done] : std::exchange(until_connected_, {})) work_.Finish(done, pending);
}

// From now on the broker keeps the session for so long.
void ClientCore::LeaveSession(TimePoint now) {
  if (connected_at_ == kNever) return;
  constexpr std::chrono::seconds kForEver(0xFFFFFFFF);  // MQTT 3.1.2.11.2
  session_ends_ = session_kept_ == kForEver ? kNever : now + session_kept_;
}

void ClientCore::DropStream() {
  // Its CONNECT may begin a new session, now or later, and nobody will tell us: once
  // ours has ended, a CONNACK that says there is one need not mean it.
  if (std::exchange(connect_unanswered_, false)) session_doubtful_ = true;
  ++stream_number_;
  receiving_ = false;
  session_begins_ = false;
  connected_at_ = kNever;
  ping_sent_ = kNever;
  work_.out.clear();
  work_.ForgetSent();
  EndReauthentication(absl::UnavailableError("connection lost while authenticating again"));
  publisher_.OnConnectionLost();
  subscriber_.OnConnectionLost();
  acknowledger_.OnConnectionLost();
}

Duration ClientCore::NextBackoff() {
  const Duration minimum = std::max(options_.backoff_minimum, milliseconds(1));
  const Duration maximum = std::max(options_.backoff_maximum, milliseconds(1));
  Duration most = std::min(minimum, maximum);
  for (unsigned i = 0; i < failures_ && most < maximum; ++i) most = std::min(2 * most, maximum);
  ++failures_;
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(most).count();
  const std::chrono::microseconds drawn(random_.Below(static_cast<std::uint64_t>(microseconds) + 1));
  return std::max<Duration>(drawn, std::min(most, minimum / 4));
}

// --- Time -------------------------------------------------------------------

// MQTT-3.1.2-20. Early enough that the packet is there in time; and it asks for
// a sign of life also when we send without ever hearing anything.
TimePoint ClientCore::PingDue() const {
  if (keep_alive_ == 0) return kNever;
  const Duration keep_alive = std::chrono::seconds(keep_alive_);
  if (ping_sent_ != kNever) return std::max(ping_sent_, last_received_) + keep_alive / 2;
  return std::min(last_sent_, last_received_) + keep_alive * 3 / 4;
}

// When the oldest unanswered packet has waited too long.
TimePoint ClientCore::AnswerDue() {
  if (options_.acknowledgement_timeout.count() <= 0) return kNever;
  const TimePoint since = std::min(work_.OldestSent(), reauthenticating_since_);
  return since == kNever ? kNever : since + options_.acknowledgement_timeout;
}

TimePoint ClientCore::wake_at() {
  if (phase_ == Phase::kStopped) return kNever;
  return phase_ == Phase::kConnected ? std::min(PingDue(), AnswerDue()) : deadline_;
}

void ClientCore::Tick(TimePoint now) {
  if (now < wake_at()) return;
  switch (phase_) {
    case Phase::kStopped: return;
    case Phase::kWaiting: return Dial(now);
    case Phase::kDialling:
    case Phase::kHandshaking:
      return Lost(absl::DeadlineExceededError(absl::StrCat("no CONNACK from ", brokers_.current(), " within ",
                                                           options_.connect_timeout.count(), " ms")),
                  now);
    case Phase::kClosing: return EndClosing(absl::DeadlineExceededError("DISCONNECT could not be sent in time"), now);
    case Phase::kConnected:
      if (now >= AnswerDue()) {
        return Lost(absl::DeadlineExceededError(
                        absl::StrCat("a packet is unanswered for ", options_.acknowledgement_timeout.count(), " ms")),
                    now);
      }
      if (ping_sent_ != kNever) {
        return Lost(StatusFrom(ReasonCode::kKeepAliveTimeout,
                               absl::StrCat("PINGREQ unanswered for half of ", keep_alive_, " s")),
                    now);
      }
      ping_sent_ = now;
      (void)EncodePacket(Packet(PingReq()), Sender::kClient, work_.out);
  }
}

// --- Output -----------------------------------------------------------------

void ClientCore::TakeOutput(WireBuffer& into, TimePoint now) {
  work_.out.swap(into);
  last_sent_ = now;
  work_.statistics.bytes_sent += into.size();
  acknowledger_.OnTaken();
  publisher_.OnTaken();
}

void ClientCore::Written() { publisher_.OnWritten(); }

void ClientCore::BeginSession() {
  session_begins_ = false;
  acknowledger_.OnSession(session_resumed_);
  subscriber_.OnSession(state_.session_present);
  publisher_.OnSession(session_resumed_);
}

void ClientCore::Pump() {
  if (phase_ != Phase::kConnected || session_begins_) return;
  subscriber_.Pump();
  // What is published may be answered: first the subscriptions must be there again.
  if (!subscriber_.resubscribing()) publisher_.Pump();
}

void ClientCore::Tell(ConnectionState::Kind kind, absl::Status why) {
  state_.kind = kind;
  state_.why = std::move(why);
  state_.client_id = client_id_;
  state_.broker = kind == ConnectionState::Kind::kWaiting ? state_.broker : brokers_.current();
  if (kind != ConnectionState::Kind::kWaiting) state_.next_try = TimePoint();
  if (kind != ConnectionState::Kind::kConnected) {
    state_.session_present = false;
    state_.session_expiry = std::chrono::seconds(0);
    state_.connack_properties.clear();
  }
  work_.events.push(StateChanged{std::make_shared<const ConnectionState>(state_)});
}

absl::Status ClientCore::CheckOptions() const {
  if (absl::Status status = brokers_.Check(); !status.ok()) return status;
  const auto in_range = [](std::string_view name, auto value, auto least, auto most) {
    return value >= least && value <= most
               ? absl::OkStatus()
               : absl::InvalidArgumentError(absl::StrCat(ToAbsl(name), " is ", value, "; ", least, "-", most));
  };
  absl::Status status = in_range("keep_alive", options_.keep_alive.count(), 0, 65'535);
  status.Update(in_range("session_expiry", options_.session_expiry.count(), 0, 0xFFFFFFFF));
  status.Update(in_range("connect_timeout, in ms,", options_.connect_timeout.count(), 1, 86'400'000));
  status.Update(in_range("receive_maximum", options_.receive_maximum, 1, 65'535));
  status.Update(in_range("will_delay", options_.will_delay.count(), 0, 0xFFFFFFFF));
  status.Update(in_range("maximum_packet_size", options_.maximum_packet_size, 2u, 0xFFFFFFFFu));
  if (!status.ok()) return status;
  WireBuffer scratch;
  return EncodeConnect(std::nullopt, scratch);
}

ClientStatistics ClientCore::statistics() const {
  ClientStatistics now = work_.statistics;
  now.queued_messages = publisher_.queued_messages();
  now.queued_bytes = publisher_.queued_bytes();
  now.in_flight = work_.in_flight.size();
  now.unacknowledged = acknowledger_.unacknowledged();
  return now;
}

}  // namespace mqttrpc::mqtt
