// Subscriptions, and how what arrives is handled and acknowledged.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "mqttrpc/mqtt/message.h"
#include "mqttrpc/mqtt/properties.h"
#include "mqttrpc/mqtt/qos.h"
#include "mqttrpc/mqtt/reason_code.h"

namespace mqttrpc::mqtt {

// A Topic Filter with its Subscription Options (MQTT 3.8.3.1).
struct Subscription {
  Subscription() = default;
  explicit Subscription(std::string topic_filter_in, QoS qos_in = QoS::kAtLeastOnce)
      : topic_filter(std::move(topic_filter_in)), qos(qos_in) {}

  std::string topic_filter;  // May begin with $share/{name}/.
  QoS qos = QoS::kAtLeastOnce;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint8_t retain_handling = 0;  // 0, 1 or 2.
  Properties properties;             // User properties only.
};

// Called on the client's executor for each message, in order. PUBACK or PUBREC goes
// out when it returns. Must not block, since the connection waits for it, and
// must not throw. May call the client, and may destroy it.
using MessageHandler = absl::AnyInvocable<void(const MessageView&)>;

// The duty to acknowledge one message that arrived. Any thread may use it, one
// at a time; it may outlive the client.
//
// Acknowledgements leave in the order the messages came (MQTT-4.6.0-2,
// MQTT-4.6.0-3): one that is held holds back the later ones of its QoS, and each
// counts towards ClientOptions::receive_maximum. A reconnect that finds the
// session again does not end it: the message is not handed over a second time.
// Dropped without a word, nothing is acknowledged; the broker sends the message
// again after the next reconnect, and it is handed over again.
class Acknowledgement {
 public:
  // Who waits for it.
  class Target {
   public:
    virtual ~Target() = default;
    // Whether the session is still the one of that number.
    virtual bool IsCurrent(std::uint64_t session) const = 0;
    // `answer`: a Reason Code, or nothing if dropped.
    enum class Answer { kAcknowledge, kRefuse, kDrop };
    virtual void Settle(std::uint64_t serial, Answer answer, ReasonCode code) = 0;
  };

  Acknowledgement() = default;  // Of nothing, as for a QoS 0 message.
  Acknowledgement(std::weak_ptr<Target> target, std::uint64_t session, std::uint64_t serial)
      : target_(std::move(target)), session_(session), serial_(serial) {}
  Acknowledgement(Acknowledgement&& other) noexcept { *this = std::move(other); }
  Acknowledgement& operator=(Acknowledgement&& other) noexcept;
  ~Acknowledgement();

  // Whether it still has to be answered.
  explicit operator bool() const { return serial_ != 0; }

  // The message is taken: PUBACK or PUBREC with Success. Nothing happens for an
  // acknowledgement of nothing. Errors, all of them harmless:
  //   kFailedPrecondition  the session is gone: there is nobody to tell
  //   kCancelled           the client is gone
  absl::Status Acknowledge();

  // Ends the message with an error, 0x80 or above, that PUBACK and PUBREC know;
  // the broker does not send it again (MQTT-4.4.0-2). Errors as above, and
  //   kInvalidArgument     another Reason Code; the acknowledgement is still due
  absl::Status Refuse(ReasonCode code);

 private:
  absl::Status Settle(Target::Answer answer, ReasonCode code);

  std::weak_ptr<Target> target_;
  std::uint64_t session_ = 0;
  std::uint64_t serial_ = 0;
};

// As MessageHandler, but the message is acknowledged through the handle.
using AcknowledgingHandler = absl::AnyInvocable<void(const MessageView&, Acknowledgement)>;

}  // namespace mqttrpc::mqtt
