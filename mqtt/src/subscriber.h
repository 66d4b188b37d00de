// The client's subscriptions: their requests, and who gets which message.
#pragma once

#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "client_parts.h"

namespace mqttrpc::mqtt {

// Sans-I/O part of ClientCore. Requests go out in the order they came.
class Subscriber {
 public:
  Subscriber(const ClientOptions& options, LogSink& log, ClientWork& work)
      : options_(options), log_(log), work_(work) {}

  // Queues it, or refuses it at once.
  void Add(SubscribeOperation operation);
  void Add(UnsubscribeOperation operation);

  // Sends what is queued.
  void Pump();

  // Errors: the broker broke the protocol.
  absl::Status OnSubAck(const SubAck& ack);
  absl::Status OnUnsubAck(const UnsubAck& ack);

  void OnConnectionLost();

  // Asks again for every subscription that the broker's session has not.
  void OnSession(bool session_present);
  // Whether the broker has not answered all of that yet.
  bool resubscribing() const { return resubscriptions_ > 0; }

  // Ends the operation with kCancelled. False if it is not here.
  bool Cancel(OperationId id);
  // Ends everything with `why`. Called without a connection.
  void CancelAll(const absl::Status& why);

  // Puts the handlers that `publish` is for into `receivers`.
  void Match(const Publish& publish, std::vector<std::shared_ptr<Handler>>& receivers) const;

 private:
  // One Topic Filter that the broker has, or has been asked for.
  struct Entry {
    Subscription subscription;
    std::string match_filter;  // Without $share/{name}/.
    std::shared_ptr<Handler> handler;
    std::uint32_t identifier = 0;  // Never changes: a message in the queue may carry it for long.
    bool granted = false;          // Once, ever.
    bool in_session = false;       // In the one the broker has now.
  };
  using Request = std::variant<SubscribeOperation, UnsubscribeOperation>;

  absl::Status CheckRoom() const;
  absl::Status CheckAgainstLimits(const Subscription& subscription) const;
  // What EncodePacket or the limits say; `out` is then as it was.
  absl::Status Encode(const Packet& packet);
  absl::Status EncodeSubscribe(const Subscription& subscription, std::uint32_t identifier, PacketId packet_id);
  bool Send(SubscribeOperation& operation);
  bool Send(UnsubscribeOperation& operation);
  Entry& EntryFor(const SubscribeOperation& operation);
  // Ends the entry, unless a request under way other than `answered` wants it.
  // Whether it ended.
  bool Release(const std::string& topic_filter, PacketId answered);
  void Erase(const std::string& topic_filter);
  void EraseUnwanted();
  void Granted(SubscribeOperation& operation, PacketId answered);
  void Resubscribed(const Resubscription& again, ReasonCode code, PropertiesView properties);
  void TellLost(const std::string& topic_filter, absl::Status why);

  const ClientOptions& options_;
  LogSink& log_;
  ClientWork& work_;
  std::list<Request> requests_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::unordered_map<std::uint32_t, const Entry*> by_identifier_;
  std::uint32_t last_identifier_ = 0;
  std::size_t resubscriptions_ = 0;  // Under way.
};

}  // namespace mqttrpc::mqtt
