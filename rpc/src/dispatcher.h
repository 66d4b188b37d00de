// What a server does with requests: admits, refuses, drops, answers. No I/O.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include "call_codec.h"
#include "frame_pacer.h"
#include "linked_list.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/mqtt/log.h"
#include "mqttrpc/rpc/server.h"
#include "reply_cache.h"
#include "server_call.h"
#include "server_frames.h"

namespace mqttrpc {

// What the dispatcher asks of the world.
class DispatcherShell {
 public:
  virtual void SendAnswer(mqtt::Message message) = 0;
  // A frame of a call. Answer for fragments: FrameSent().
  virtual void SendFrame(mqtt::Message message, std::shared_ptr<ServerCall::State> fragment_of, std::size_t bytes) = 0;
  // Ends a read or write of a handler, when this turn is over.
  virtual void Step(mqtt::Completion<bool> done, bool yes) = 0;
  virtual void CallReleased() = 0;  // One fewer is held().
  // How many of them the broker has not acknowledged.
  virtual std::size_t answers_under_way() const { return 0; }
  virtual std::shared_ptr<const HandlerPlace> PlaceForHandler() = 0;
  // Runs it there; before it returns if the place does not hop.
  virtual void RunHandler(Service& service, std::size_t method, std::shared_ptr<ServerCall::State> call) = 0;

 protected:
  ~DispatcherShell() = default;
};

class Dispatcher final : private FramePacerShell {
 public:
  // Everything is borrowed; `options` are checked.
  Dispatcher(const ServerOptions& options, const CallCodec& codec, DispatcherShell& shell, mqtt::LogSink& log);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void Add(Service& service);
  const std::map<std::string, Service*, std::less<>>& services() const { return services_; }

  void set_instance(std::string instance) { instance_ = std::move(instance); }
  const std::string& instance() const { return instance_; }

  // What happens to the connection. The limits are the broker's: for whole packets, in
  // bytes, and for messages it has not acknowledged.
  void Connected(bool session_present, std::size_t maximum_packet_size, std::size_t receive_maximum,
                 mqtt::TimePoint now);
  void Disconnected(mqtt::TimePoint now);

  // From now on requests are refused.
  void StartDraining() { draining_ = true; }

  void Arrived(const mqtt::MessageView& message, mqtt::TimePoint now);
  void HandlerEnded(ServerCall::State& call, Answer answer, mqtt::TimePoint now);
  void HandlerLost(ServerCall::State& call);

  // What a handler's reader and writer want.
  void Read(ServerCall::State& call, google::protobuf::Message& message, mqtt::Completion<bool> done,
            std::uint64_t number, mqtt::TimePoint now);
  void CancelRead(ServerCall::State& call, std::uint64_t number);
  void Write(ServerCall::State& call, WrittenMessage message, mqtt::Completion<bool> done, mqtt::TimePoint now);

  // An interceptor does not let it go on.
  void GiveUp(ServerCall::State& call, const absl::Status& why, mqtt::TimePoint now);

  // A fragment's sending has ended.
  void FrameSent(ServerCall::State& call, std::size_t bytes, const absl::Status& status, mqtt::TimePoint now);

  // Cancels every handler; those that still owe an answer give `why`, or none if it is OK.
  void CancelAll(const absl::Status& why, mqtt::TimePoint now);
  // Handlers that still run end unheard. Before the server goes, under its lock:
  // a call may end on another thread at any time.
  void ForgetAll();

  mqtt::TimePoint Next() const { return std::min(deadlines_.Next(), flows_.Next()); }
  void TimeIs(mqtt::TimePoint now);

  std::size_t running() const { return running_count_; }
  // Calls whose request is not whole, or whose end the caller has not got.
  std::size_t held() const { return held_.size(); }
  std::size_t remembered() const { return cache_.size(); }

 private:
  struct Found {
    Service* service = nullptr;
    std::size_t method = 0;
    absl::Status status;
  };

  Found Find(const RequestIn& request) const;
  static const MethodInfo& MethodOf(const Found& found) { return found.service->info().methods[found.method]; }
  std::optional<std::chrono::milliseconds> TimeFor(const RequestIn& request, const Found& found) const;
  absl::Status WhyNot(const RequestIn& request, const Found& found, std::size_t payload_bytes) const;
  static bool MayRunAgain(const ReplyCache::Entry& entry, const RequestIn& request, const Found& found);
  void CancelledByCaller(const RequestIn& request, mqtt::TimePoint now);
  void Duplicate(const ReplyCache::Entry& entry, mqtt::TimePoint now);
  void Admit(RequestIn request, std::string_view payload, const Found& found, mqtt::TimePoint deadline,
             mqtt::TimePoint now);
  void Run(const std::shared_ptr<ServerCall::State>& call);
  void Refuse(const RequestIn& request, absl::Status why, mqtt::QoS qos, std::chrono::milliseconds remaining);
  void GiveAnswer(ServerCall::State& call, Answer answer, mqtt::TimePoint now);
  void Forget(ServerCall::State& call);
  std::size_t under_way() const { return running_count_ + held_.size() + shell_.answers_under_way(); }

  // Calls with frames: dispatcher_frames.cc.
  absl::Status TooMuchWaits() const;
  absl::Status CheckFrames(const RequestIn& request, const MethodInfo& method) const;
  ServerFrames& MakeFrames(ServerCall::State& call, mqtt::Duration idle, mqtt::TimePoint now);
  void BeginFrames(const std::shared_ptr<ServerCall::State>& call, const RequestIn& request, mqtt::TimePoint now);
  void RequestIsWhole(const std::shared_ptr<ServerCall::State>& call, std::string payload, mqtt::TimePoint now);
  void LaterArrived(const mqtt::MessageView& message, mqtt::TimePoint now);
  absl::Status TakeFrame(ServerCall::State& call, const LaterIn& later, mqtt::TimePoint now);
  void UnknownCall(const LaterIn& later);
  void CancelledByCaller(ServerCall::State& call, mqtt::TimePoint now);
  absl::Status Deliver(ServerCall::State& call, mqtt::TimePoint now);
  absl::Status ReadDone(ServerCall::State& call, std::string_view payload);
  auto Ends() {
    return [this](mqtt::Completion<bool> done, bool yes) { shell_.Step(std::move(done), yes); };
  }
  bool EndInFrames(ServerCall::State& call, Answer& answer, mqtt::TimePoint now);
  std::size_t MaximumPacketTo(const ServerCall::State& call) const;
  std::size_t RoomTo(const ServerCall::State& call, std::size_t metadata_bytes = 0) const;
  std::size_t EndSize(const ServerCall::State& call, const Answer& answer) const;
  void Settle(ServerCall::State& call, mqtt::TimePoint now);
  void Break(ServerCall::State& call, absl::Status why, mqtt::TimePoint now);
  bool GoesOn(const ServerCall::State& call) const;
  void EndFrames(ServerCall::State& call);
  void Release(ServerCall::State& call);
  void SendFragment(CallFlow& flow) override;
  void SendControl(ServerCall::State& call, const Frame& frame);
  ResponseOut FrameHead(const ServerCall::State& call) const;
  void CountBytes(ServerFrames& frames);
  void FlowsAreDue(mqtt::TimePoint now);
  std::vector<std::shared_ptr<ServerCall::State>> CallsWithFrames() const;
  void Log(mqtt::LogLevel level, std::string_view event, std::string_view topic_name, std::string_view why) const;

  const ServerOptions& options_;
  const CallCodec& codec_;
  DispatcherShell& shell_;
  mqtt::LogSink& log_;
  std::map<std::string, Service*, std::less<>> services_;
  std::string instance_;
  std::size_t maximum_packet_size_ = SIZE_MAX;
  bool connected_ = false;
  bool draining_ = false;
  ReplyCache cache_;
  LinkedList<ServerCall::State> running_;
  std::size_t running_count_ = 0;
  // Calls with frames that no handler holds: before it begins, and after it has ended.
  absl::flat_hash_map<const ServerCall::State*, std::shared_ptr<ServerCall::State>> held_;
  FramePacer pacer_{*this};
  mqtt::DeadlineQueue flows_;
  std::size_t waiting_bytes_ = 0;  // In all calls' receiving sides.
  std::size_t kept_bytes_ = 0;     // In their sending sides, unacknowledged.
  mqtt::DeadlineQueue deadlines_;
};

}  // namespace mqttrpc
