// What happened in one run, as far as promises are made about it, in one order.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mqttrpc/mqtt/clock.h"
#include "mqttrpc/mqtt/qos.h"

namespace mqttrpc::explorer {

// An event says what one side did, so that its order to other events is sure:
// "the client sent UNSUBSCRIBE" comes before anything that follows from it.
struct Event {
  enum class Kind : std::uint8_t {
    kPublish,       // The application hands over `message`.
    kSending,       // Its PUBLISH is on the way to the broker.
    kPublished,     // The application hears of its end; `good`: the broker took it.
    kSent,          // The broker sends it to `client`. `seconds`: the expiry that is left.
    kDelivered,     // A handler of `client` gets it.
    kSubscribe,     // The client sends SUBSCRIBE for `text`.
    kSubscribed,    // The broker sends SUBACK: granted `qos`.
    kGivenUp,       // The application hears that it is not subscribed to `text`.
    kUnsubscribe,   // The client sends UNSUBSCRIBE for `text`.
    kUnsubscribed,  // The broker sends UNSUBACK.
    kConnect,       // The client sends CONNECT, with `clean_start`.
    kConnected,     // The broker accepts it, with `session_present`.
    kGoodbye,       // The client sends DISCONNECT; `good`: no will wanted; `seconds`: the session
                    // expiry from now on, if another. `sure`: it arrives.
    kDisconnected,  // The broker sees the connection end; not `sure`: perhaps before its last packet.
    kQuiet,         // All has happened that can without time moving on.
  };

  Event() = default;
  explicit Event(Kind kind_in, int client_in = -1) : kind(kind_in), client(client_in) {}

  Kind kind = Kind::kQuiet;
  int client = -1;   // Index in History::clients; of kPublish: who publishes.
  int message = -1;  // Index in History::messages; of a will: -1.
  std::uint64_t connection = 0;
  std::uint16_t packet_id = 0;  // Of SUBSCRIBE and SUBACK.
  mqtt::Duration time{};
  mqtt::QoS qos = mqtt::QoS::kAtMostOnce;
  bool retain = false;
  bool dup = false;
  bool good = false;
  bool sure = true;
  bool clean_start = false;
  bool session_present = false;
  std::optional<std::uint32_t> seconds;
  std::uint32_t healthy = 0;  // kQuiet: a bit for each client that can hear and be heard.
  std::string text;           // Topic Name or Topic Filter.
};

struct ClientPlan {
  ClientPlan() = default;

  std::string name;
  std::uint32_t session_expiry = 0;         // Seconds.
  std::optional<std::uint32_t> will_delay;  // Seconds; nothing: no will. Its topic is "w/" and the name.
};

struct MessagePlan {
  MessagePlan() = default;

  int publisher = 0;
  std::string topic;
  mqtt::QoS qos = mqtt::QoS::kAtMostOnce;
  bool retain = false;
  bool empty = false;                   // With `retain`: clears the topic.
  std::optional<std::uint32_t> expiry;  // Seconds.
};

struct History {
  std::vector<ClientPlan> clients;
  std::vector<MessagePlan> messages;
  std::vector<Event> events;

  int witness = -1;            // Hears all wills, undisturbed.
  int probe = -1;              // Subscribes to all retained topics at the end.
  std::string probed = "r/#";  // With this filter.
};

// A line for people.
std::string ToString(const History& history, const Event& event);

// What went against the promises, a line each, beginning with a word for its kind
// and a colon. Empty: nothing.
//
//   lost        acknowledged, subscribed, and not delivered although it could be
//   twice       more often than its QoS and the connections lost explain
//   order       of one publisher, topic and QoS
//   unexpected  delivered without a subscription, to the wrong topic, at another QoS
//   expired     sent although its time was over, or with too much of it left
//   session     there although it ended, or gone although it did not
//   will        missing, or not due
//   retained    not the last one, or none, or one that was cleared or replaced
//   stuck       an operation or a flow that never ended, a client that never came back
//   left        the broker still holds something when all is over
std::vector<std::string> Check(const History& history);

}  // namespace mqttrpc::explorer
