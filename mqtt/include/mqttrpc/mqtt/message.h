// Application Messages: what is published and what arrives (MQTT 3.3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "mqttrpc/mqtt/properties.h"
#include "mqttrpc/mqtt/qos.h"

namespace mqttrpc::mqtt {

// A message to publish. Owns its bytes. What is wrong with it, Publish() says: see
// Client::Publish() for the errors. A value: of one thread at a time.
struct Message {
  Message() = default;  // Not an aggregate: docs/decisions/0006-coroutine-rules.md.
  Message(std::string topic_name_in, std::string payload_in, QoS qos_in = QoS::kAtLeastOnce)
      : topic_name(std::move(topic_name_in)), payload(std::move(payload_in)), qos(qos_in) {}

  std::string topic_name;  // UTF-8, no wildcards, 1-65,535 bytes.
  std::string payload;     // Any bytes, up to the broker's Maximum Packet Size.

  // To the broker; subscribers get it with the lower of this and what they asked for.
  QoS qos = QoS::kAtLeastOnce;

  // Whether the broker is to keep it for those who subscribe later, in the place of the
  // last one of its topic; with an empty payload: to keep none any more (3.3.1.3).
  bool retain = false;

  // Those of PUBLISH (3.3.2.3) but the Topic Alias, which is the client's business, and
  // the Subscription Identifier, which is the broker's.
  Properties properties;
};

// A message that arrived. Borrows everything: valid until the handler that was
// given it returns. Copy it with ToMessage() to keep it.
struct MessageView {
  MessageView() = default;

  std::string_view topic_name;  // In full, also where a Topic Alias was sent.
  std::string_view payload;     // Any bytes.

  // The lower of the publisher's and the subscription's.
  QoS qos = QoS::kAtMostOnce;
  // It was there before we subscribed (or see Subscription::retain_as_published).
  bool retain = false;
  // The broker may have sent it before (MQTT-3.3.1-1).
  bool dup = false;

  // All that came with it, Subscription Identifiers too.
  PropertiesView properties;

  // A copy to keep, or to publish again. Without `dup`, which is of one sending.
  Message ToMessage() const {
    Message message{std::string(topic_name), std::string(payload), qos};
    message.retain = retain;
    message.properties = Properties(properties);
    return message;
  }
};

}  // namespace mqttrpc::mqtt
