// The MQTT 5 client as a state machine: no I/O, no timers, no clock.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "acknowledger.h"
#include "broker_list.h"
#include "client_parts.h"
#include "frame_buffer.h"
#include "publisher.h"
#include "subscriber.h"
#include "topic_aliases.h"

namespace mqttrpc::mqtt {

// Goes in: commands, what the stream does, the time. Comes out: events for the
// application, bytes to send, a wish for a stream, and when to wake it. The
// shell asks for those after every input, outside of any call into the core, so
// the application may call back while it handles an event.
class ClientCore {
 public:
  ClientCore(const ClientOptions& options, Random& random, LogSink& log);

  // --- Commands.
  void Start(TimePoint now);
  void Publish(PublishNode&& operation, TimePoint now);
  void Subscribe(SubscribeOperation operation);
  void Unsubscribe(UnsubscribeOperation operation);
  void Disconnect(OperationId id, const DisconnectOptions& how, Completion<absl::Status> done, TimePoint now);
  void Reauthenticate(OperationId id, Completion<absl::Status> done, TimePoint now);
  void UntilConnected(OperationId id, Completion<absl::Status> done);
  void Cancel(OperationId id);
  void Settle(std::uint64_t serial, Acknowledgement::Target::Answer answer, ReasonCode code);
  void End();  // Ends all that is pending with kCancelled, without a DISCONNECT.

  // --- The stream that stream() wished for.
  enum class Wish {
    kNone,    // Close it if there is one.
    kOpen,    // Dial, or keep it.
    kFinish,  // Send what is left, close it, then call Finished().
  };
  struct StreamWish {
    Wish wish = Wish::kNone;
    std::uint64_t number = 0;  // Another number means another stream.
  };
  StreamWish stream() const;
  const std::string& broker() const { return brokers_.current(); }  // The URL to dial.
  void Opened(TimePoint now);
  void Received(std::span<const std::byte> bytes, TimePoint now);  // Borrowed until Next() is out of events.
  void Closed(absl::Status why, TimePoint now);                    // Or never opened.
  void Finished(TimePoint now);

  // --- Time.
  TimePoint wake_at();  // Call Tick() then.
  void Tick(TimePoint now);

  // --- Output.
  // Makes what is queued output now, before all that was received is handled.
  void PrepareOutput() { Pump(); }
  bool has_output() const { return !work_.out.empty(); }
  // Swaps what is to be sent into `into`, which is empty.
  void TakeOutput(WireBuffer& into, TimePoint now);
  void Written();
  // Whether there is something to tell or to do now that a write is over.
  bool goes_on() const {
    return !work_.events.empty() || publisher_.queued_messages() > 0 || phase_ == Phase::kClosing;
  }

  // The next thing to do with the application. Empty if there is none; then all
  // that may be sent is in the output.
  std::optional<Event> Next(TimePoint now);
  // Whom the Delivery just returned is for, and that they had it.
  const std::vector<std::shared_ptr<Handler>>& receivers() const { return receivers_; }
  std::uint64_t serial() const { return serial_; }  // For their handles; 0: they need none.
  void Delivered();

  // --- To be told.
  std::uint64_t session() const { return acknowledger_.session(); }  // Any thread.
  ClientStatistics statistics() const;

 private:
  enum class Phase { kStopped, kDialling, kHandshaking, kConnected, kClosing, kWaiting };

  // client_core.cc
  absl::Status CheckOptions() const;
  void Dial(TimePoint now);
  void Lost(absl::Status why, TimePoint now);
  void BeginClosing(const mqtt::Disconnect& disconnect, TimePoint now, Duration limit);
  void EndClosing(const absl::Status& sent, TimePoint now);
  void Stop(absl::Status why, const absl::Status& pending);
  void CancelAll(const absl::Status& pending);
  void DropStream();
  void LeaveSession(TimePoint now);
  Duration NextBackoff();
  TimePoint PingDue() const;
  TimePoint AnswerDue();
  void BeginSession();
  void Pump();
  void Tell(ConnectionState::Kind kind, absl::Status why = absl::OkStatus());

  // client_packets.cc
  absl::Status EncodeConnect(const Authenticator::Data& data, WireBuffer& out) const;
  std::optional<Event> OnFrame(const Frame& frame, TimePoint now);
  absl::Status OnPacket(const Packet& packet, TimePoint now);
  absl::Status OnConnAck(const ConnAck& connack, TimePoint now);
  void OnRefused(const ConnAck& connack, TimePoint now);
  void OnDisconnect(const mqtt::Disconnect& disconnect, TimePoint now);
  void FollowReference(ReasonCode code, PropertiesView properties, TimePoint now);
  absl::StatusOr<std::optional<Event>> OnPublish(mqtt::Publish publish);
  void Refuse(absl::Status why, TimePoint now);

  // client_auth.cc
  absl::Status CheckMethod(PropertiesView properties) const;
  absl::Status OnAuth(const Auth& auth);
  absl::Status FinishHandshake(const ConnAck& connack);
  absl::Status Answer(const Authenticator::Data& data, ReasonCode code);
  void EndReauthentication(absl::Status result);

  const ClientOptions options_;
  Random& random_;
  ClientWork work_;
  Publisher publisher_;
  Subscriber subscriber_;
  Acknowledger acknowledger_;
  IncomingAliases aliases_;
  BrokerList brokers_;

  Phase phase_ = Phase::kStopped;
  absl::Status gave_up_;   // Why new operations fail at once, if they do.
  std::string client_id_;  // Ours, or the broker's choice.
  bool had_session_ = false;
  std::chrono::seconds session_kept_{0};  // After this connection.
  TimePoint session_ends_ = kNever;       // Unless we are back before.
  bool connect_unanswered_ = false;       // This stream's.
  bool session_doubtful_ = false;         // One was never answered since the last CONNACK.
  bool session_resumed_ = false;          // The broker says that it has one of ours.
  bool session_begins_ = false;           // Connected, and the application is being told.
  std::uint64_t stream_number_ = 0;
  std::optional<FrameBuffer> frames_;
  bool receiving_ = false;  // frames_ may have whole packets.

  ConnectionState state_;
  TimePoint deadline_ = kNever;      // Of dialling, handshake, closing; the next try.
  TimePoint connected_at_ = kNever;  // kNever: this stream is not.
  unsigned failures_ = 0;            // In a row.
  bool clean_start_ = false;         // As sent in this stream's CONNECT.
  bool stop_after_closing_ = false;
  bool start_after_closing_ = false;
  absl::Status closing_why_;

  std::uint16_t keep_alive_ = 0;  // Seconds, as the broker wants it.
  TimePoint last_sent_{}, last_received_{};
  TimePoint ping_sent_ = kNever;  // kNever: none is unanswered.

  bool redirected_ = false;  // The next try goes where a broker sent us, at once.
  unsigned takeovers_ = 0;   // In a row.

  std::vector<std::shared_ptr<Handler>> receivers_;
  std::uint64_t serial_ = 0;

  // Of a re-authentication that is under way; kNever: none is.
  TimePoint reauthenticating_since_ = kNever;
  std::pair<OperationId, Completion<absl::Status>> reauthenticating_;

  std::vector<std::pair<OperationId, Completion<absl::Status>>> until_connected_;
  std::vector<std::pair<OperationId, Completion<absl::Status>>> disconnecting_;
};

}  // namespace mqttrpc::mqtt
