// What a server does with requests: admits, refuses, drops, answers. No I/O.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "call_codec.h"
#include "linked_list.h"
#include "mqttrpc/mqtt/deadline_queue.h"
#include "mqttrpc/mqtt/log.h"
#include "mqttrpc/rpc/server.h"
#include "reply_cache.h"
#include "server_call.h"

namespace mqttrpc {

// What the dispatcher asks of the world.
class DispatcherShell {
 public:
  virtual void SendAnswer(mqtt::Message message) = 0;
  // How many of them the broker has not acknowledged.
  virtual std::size_t answers_under_way() const { return 0; }
  virtual std::shared_ptr<const HandlerPlace> PlaceForHandler() = 0;
  // Runs it there; before it returns if the place does not hop.
  virtual void RunHandler(Service& service, std::size_t method, std::shared_ptr<ServerCall::State> call) = 0;

 protected:
  ~DispatcherShell() = default;
};

class Dispatcher {
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

  // Of the broker, for whole packets, in bytes.
  void set_maximum_packet_size(std::size_t bytes) { maximum_packet_size_ = bytes; }

  // From now on requests are refused.
  void StartDraining() { draining_ = true; }

  void Arrived(const mqtt::MessageView& message, mqtt::TimePoint now);
  void HandlerEnded(ServerCall::State& call, Answer answer, mqtt::TimePoint now);
  void HandlerLost(ServerCall::State& call);

  // Cancels every handler; those that still owe an answer give `why`, or none if it is OK.
  void CancelAll(const absl::Status& why, mqtt::TimePoint now);
  // Handlers that still run end unheard. Before the server goes, under its lock:
  // a call may end on another thread at any time.
  void ForgetAll();

  mqtt::TimePoint Next() const { return deadlines_.Next(); }
  void TimeIs(mqtt::TimePoint now);

  std::size_t running() const { return running_count_; }

 private:
  struct Found {
    Service* service = nullptr;
    std::size_t method = 0;
    absl::Status status;
  };

  Found Find(const RequestIn& request) const;
  void CancelledByCaller(const RequestIn& request, mqtt::TimePoint now);
  void Duplicate(const ReplyCache::Entry& entry, mqtt::TimePoint now);
  void Admit(RequestIn request, std::string_view payload, const Found& found, mqtt::TimePoint deadline);
  void Refuse(const RequestIn& request, absl::Status why, mqtt::QoS qos, std::chrono::milliseconds remaining);
  void GiveAnswer(ServerCall::State& call, Answer answer, mqtt::TimePoint now);
  void Forget(ServerCall::State& call);
  void Log(mqtt::LogLevel level, std::string_view event, std::string_view topic_name, std::string_view why) const;

  const ServerOptions& options_;
  const CallCodec& codec_;
  DispatcherShell& shell_;
  mqtt::LogSink& log_;
  std::map<std::string, Service*, std::less<>> services_;
  std::string instance_;
  std::size_t maximum_packet_size_ = SIZE_MAX;
  bool draining_ = false;
  ReplyCache cache_;
  LinkedList<ServerCall::State> running_;
  std::size_t running_count_ = 0;
  mqtt::DeadlineQueue deadlines_;
};

}  // namespace mqttrpc
